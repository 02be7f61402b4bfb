"""What all tasks share: run directories, recording, checkpoints, seeds, statistics, the command line.

Tasks import modules from here; no module here depends on a particular task. Data flows one way:
command line -> frozen Config -> run(config) -> train yields Snapshots -> Recorder -> reports read the record.
"""
