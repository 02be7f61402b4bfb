"""Run directories: starting, resuming, refusing and deleting runs. No run is ever overwritten silently."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.harness.config import Config, flag
from tasks.harness.contract import Task
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, METRICS, METRICS_SHA256, PARTIAL, SEED_SUMMARY, SUMMARY, read_json
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.rundir import checkpoint
from tasks.harness.rundir.checkpoint import Checkpoint
from tasks.harness.rundir.lock import HOLDER, LOCK


def default_directory(task: Task, config: Config, root: Path = Path("runs")) -> Path:
    """The default directory of a run: ``<root>/<task>/<label>-<hash of the options>``.

    Options that have the value of all older records do not change the name.
    """
    options = {name: value for name, value in config.to_dict().items() if (name, value) not in config.BEFORE.items()}
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
    return root / task.name / f"{config.label()}-{digest[:8]}"


def is_complete(directory: Path) -> bool:
    """Whether all results of a run are present and unchanged; its summary is written last."""
    return why_incomplete(directory) is None


def why_incomplete(directory: Path) -> str | None:
    """What is wrong with the results of a run; None if all are present and unchanged."""
    try:
        run = FinishedRun.load(directory)
    except UserError as error:
        return str(error)
    if len(run.per_seed.get("seed", ())) != run.summary["seeds"]:
        return f"{directory / SEED_SUMMARY} must have one row for each of {run.summary['seeds']} seeds"
    return None


def prepare(task: Task, config: Config, directory: Path, *, resume: bool, overwrite: bool) -> Checkpoint | None:
    """Prepare the directory for a run that is not complete. The directory must exist and be locked.

    Returns:
        The checkpoint to continue from; None to start from the beginning.

    Raises:
        UserError: when the content of the directory does not match ``resume`` and ``overwrite``, or its record ends
            before the checkpoint.
    """
    found = None
    if (directory / CONFIG).exists():
        if not (resume or overwrite):
            raise UserError(f"{directory} already holds a run; use --resume, --overwrite or another --out")
        if not overwrite:
            check_same(task, config, directory)
            found = checkpoint.newest(directory)
            if found is not None:
                _check_options(found, config, directory)
            if found is None and read_json(directory / CONFIG).get("status") == "complete":
                raise UserError(
                    f"the results in {directory} cannot be read, and there is no checkpoint to rebuild them from; "
                    "use --overwrite to start again"
                )
        if found is None:
            delete_run(task, directory)
        elif found.step not in Record.load(directory / METRICS).steps:
            raise UserError(
                f"{directory / METRICS} is damaged: it ends before the checkpoint at step {found.step}; "
                "use --overwrite to start again"
            )
    else:
        _check_empty(directory)
    return found


def check_place(directory: Path, *, resume: bool) -> None:
    """Raise a UserError when a run can neither start nor continue in the directory; changes nothing."""
    if directory.exists() and not directory.is_dir():
        raise UserError(f"--out must be a directory, but {directory} is a file")
    if resume and not (directory / CONFIG).exists():
        raise UserError(f"--resume needs a run to continue, but {directory} contains none; omit --resume to start one")
    if directory.exists() and not (directory / CONFIG).exists():
        _check_empty(directory)


def _check_empty(directory: Path) -> None:
    """Raise a UserError unless the directory contains only lock files and partial files, which runs leave there."""
    if set(directory.iterdir()) - {directory / LOCK, directory / HOLDER} - set(directory.glob(PARTIAL)):
        raise UserError(f"{directory} contains files that are not from a run; use another --out")


def _check_options(found: Checkpoint, config: Config, directory: Path) -> None:
    """Raise a UserError unless a checkpoint was made with these options: its tensors would not fit others."""
    for name, value, before in _differences(config, found.options):
        raise UserError(
            f"{directory / CONFIG} has {flag(name)} {value}, and the checkpoint was made with {flag(name)} {before}; "
            "use --overwrite to start again"
        )


def check_same(task: Task, config: Config, directory: Path) -> None:
    """Raise a UserError unless the directory holds a run of this task with these options."""
    stored = read_json(directory / CONFIG)
    if stored.get("task") != task.name:
        raise UserError(f"{directory} holds a run of {stored.get('task')}, not of {task.name}")
    options = stored.get("config")
    for name, value, before in _differences(config, options if isinstance(options, dict) else {}):
        raise UserError(
            f"{directory} was started with {flag(name)} {before} and cannot continue with {flag(name)} {value}; "
            "use another --out"
        )


def _differences(config: Config, recorded: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The options whose recorded value is another one, with both; a run may continue on another device."""
    for name, value in config.to_dict().items():
        before = (config.BEFORE | recorded).get(name)
        if before != value and name != "device":
            yield name, value, before


def delete_run(task: Task, directory: Path) -> None:
    """Delete the files that a run of the task writes, and no others.

    config.json stays until the next run replaces it, so a half-deleted run is still a run, and can be deleted again.
    """
    names = [SUMMARY, SEED_SUMMARY, METRICS, METRICS_SHA256, checkpoint.NAME, checkpoint.SPARE, *task.files]
    for path in [*(directory / name for name in names), *directory.glob("events.out.tfevents.*")]:
        path.unlink(missing_ok=True)
    for path in directory.glob(PARTIAL):
        path.unlink(missing_ok=True)
