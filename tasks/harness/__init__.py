"""What all tasks share: run directories, recording, checkpoints, seeds, statistics, the command line.

No module here depends on a particular task. The files in this folder and ``streams/`` are for task authors; the other
folders are the machinery:

- ``streams``: random training data
- ``cli``: commands, the parsing of options and the messages about bad ones
- ``training``: one run, its processes and its signals
- ``rundir``: the files of a run: recorder, checkpoints, TensorBoard, lock
- ``sweep``: many runs, and the engines that train them
- ``compare``: units beside each other, equally tuned
- ``report``: tables, figures and the page of many runs, and the committed evidence
- ``terminal``: progress bars and tables on a terminal
- ``skeleton``: the files that ``nalu new-task`` copies

Data flows one way:
command line -> frozen Config -> run(config) -> train yields Snapshots -> Recorder -> reports read the record.
"""
