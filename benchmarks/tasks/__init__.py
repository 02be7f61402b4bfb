"""What is measured of each task, one file a task; a task without a file is not measured."""
