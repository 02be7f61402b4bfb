"""Evidence: what of a run is small enough to be committed, and enough to make its tables and figures again."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, METRICS, SEED_SUMMARY, SUMMARY, read_columns, write_columns, write_json
from tasks.harness.learning_curves import CURVES, learning_curves
from tasks.harness.record import Run
from tasks.harness.registry import load_task
from tasks.harness.rundir.directory import default_directory


def keep(run: Run, root: Path) -> None:
    """Copy the results of a finished run to ``<root>/<task>/<label-hash>/``, and its learning curves in short.

    Small tables that a task left beside them (``*.csv``) are copied, too.

    The name of the folder comes from the options, so that a run which is made again takes the place of the old one.
    """
    if not (run.directory / SUMMARY).exists():
        return
    task = load_task(run.config["task"])
    directory = default_directory(task, task.config.from_dict(run.config["config"]), root)
    if directory.exists() and directory.samefile(run.directory):
        return
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / CONFIG, run.config)
    write_json(directory / SUMMARY, run.summary or {})
    write_columns(directory / SEED_SUMMARY, run.per_seed)
    for table in run.directory.glob("*.csv"):
        if table.name not in (METRICS, SEED_SUMMARY, CURVES):
            write_columns(directory / table.name, read_columns(table))
    with contextlib.suppress(UserError, KeyError):  # without curves, of which the report tells
        write_columns(directory / CURVES, learning_curves(run))
