"""Run directories: begun, resumed, refused, deleted. No run is ever overwritten silently."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tasks.harness import checkpoint
from tasks.harness.checkpoint import Checkpoint
from tasks.harness.config import Config, flag
from tasks.harness.contract import Task
from tasks.harness.errors import UserError
from tasks.harness.record import CONFIG, METRICS, SEED_SUMMARY, SUMMARY, read_json

PARTIAL = ".*.partial"
"""What a write that was killed may leave; see :func:`tasks.harness.record.write_text`."""


def default_directory(task: Task, config: Config, root: Path = Path("runs")) -> Path:
    """Where a run goes by default: ``<root>/<task>/<label>-<hash of the options>``."""
    options = json.dumps(config.to_dict(), sort_keys=True)
    return root / task.name / f"{config.label()}-{hashlib.sha256(options.encode()).hexdigest()[:8]}"


def is_complete(directory: Path) -> bool:
    """Whether the results of a run are there: its summary is written last."""
    return (directory / CONFIG).exists() and (directory / SUMMARY).exists()


def prepare(task: Task, config: Config, directory: Path, *, resume: bool, overwrite: bool) -> Checkpoint | None:
    """Make the directory ready for a run that is not complete.

    Returns:
        The checkpoint to go on from; None to begin at the beginning.

    Raises:
        UserError: when the directory holds something else than what ``resume`` and ``overwrite`` say.
    """
    if directory.exists() and not directory.is_dir():
        raise UserError(f"--out must be a directory, and {directory} is a file")
    found = None
    if (directory / CONFIG).exists():
        if not (resume or overwrite):
            raise UserError(f"{directory} already holds a run; use --resume, --overwrite or another --out")
        if not overwrite:
            check_same(task, config, directory)
            found = checkpoint.newest(directory)
        if found is None:
            delete_run(directory)
    elif resume:
        raise UserError(f"--resume needs a run to go on with, and {directory} holds none")
    elif directory.exists() and set(directory.iterdir()) - set(directory.glob(PARTIAL)):
        raise UserError(f"{directory} holds other files than a run's; use another --out")
    directory.mkdir(parents=True, exist_ok=True)
    return found


def check_same(task: Task, config: Config, directory: Path) -> None:
    """Raise a UserError unless the directory holds a run of this task with these options."""
    stored = read_json(directory / CONFIG)
    if stored.get("task") != task.name:
        raise UserError(f"{directory} holds a run of {stored.get('task')}, not of {task.name}")
    options = stored.get("config")
    for name, value in config.to_dict().items():
        before = options.get(name) if isinstance(options, dict) else None
        if before != value:
            raise UserError(
                f"{directory} was begun with {flag(name)} {before}, and cannot go on with {flag(name)} {value}"
            )


def delete_run(directory: Path) -> None:
    """Delete what a run writes, and nothing else; what makes the directory a run directory goes last."""
    names = [SUMMARY, SEED_SUMMARY, METRICS, checkpoint.NAME, checkpoint.SPARE]
    written = [*(directory / name for name in names), *directory.glob("events.out.tfevents.*")]
    for path in [*written, *directory.glob(PARTIAL), directory / CONFIG]:
        path.unlink(missing_ok=True)
