"""What all tasks share: run directories, recording, checkpoints, seeds, statistics, the command line.

A task imports from the modules here; nothing here knows any task. The flow of data goes one way:
command line -> frozen Config -> run(config) -> train yields Snapshots -> Recorder -> reports read the record.
"""
