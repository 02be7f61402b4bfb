"""The command line of the suite and of its tasks."""
