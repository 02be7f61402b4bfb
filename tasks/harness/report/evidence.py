"""Evidence: the part of a run that is small enough to commit and sufficient to rebuild its tables and figures."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tasks.harness.errors import UserError
from tasks.harness.files import (
    CONFIG,
    CURVES,
    FORMULAS,
    SEED_SUMMARY,
    SUMMARY,
    checksums,
    read_columns,
    write_columns,
    write_json,
    write_text,
)
from tasks.harness.finished_run import FinishedRun
from tasks.harness.registry import load_task
from tasks.harness.rundir.directory import default_directory


def copy_evidence(run: FinishedRun, root: Path) -> None:
    """Copy the results of a run to ``<root>/<task>/<label-hash>/``, with condensed learning curves.

    Tables (``*.csv``) that the task declares among its files are copied, too. The options determine the name of the
    folder, so a repeated run replaces its old copy. An unfinished run is not copied.
    """
    if not (run.directory / SUMMARY).exists():
        return
    task = load_task(run.task)
    directory = default_directory(task, task.config.from_dict(run.options), root)
    if directory.exists() and directory.samefile(run.directory):
        return
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / CONFIG, run.description)
    write_columns(directory / SEED_SUMMARY, run.per_seed)
    tables = [name for name in task.files if name.endswith(".csv") and (run.directory / name).exists()]
    for name in tables:
        write_columns(directory / name, read_columns(run.directory / name))
    with contextlib.suppress(UserError, KeyError):  # the report says that the curves are missing
        write_columns(directory / CURVES, run.curves)
    if run.formulas:
        write_text(directory / FORMULAS, run.formulas)
    copied = checksums(directory, [SEED_SUMMARY, CURVES, *tables])
    write_json(directory / SUMMARY, {**run.summary, "sha256": copied})
