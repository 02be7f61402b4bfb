"""Runs read for a report: from anywhere, perhaps moved, unfinished, of an older version or from a stranger."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from tasks.harness.config import LARGEST, Config
from tasks.harness.contract import Task
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, METRICS, SEED_SUMMARY, SUMMARY
from tasks.harness.record import Run
from tasks.harness.registry import load_task, task_names
from tasks.harness.rundir.directory import default_directory
from tasks.harness.summary import over_seeds, per_seed
from tasks.harness.terminal.sanitize import plain

# What a report reads at most: more than any published setting leaves, and little enough for any machine.
DEEPEST = 50
"""Directories below the given ones."""


def read_runs(directories: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The runs at or below the given directories, and a line for each one that cannot be used.

    Their order is that of their options, so that a report is the same wherever they lie.

    A copy that is only evidence (a summary without its record) is left out where the run itself, or another copy of it,
    was found.

    Raises:
        UserError: when there is no run at all.
    """
    runs: list[Run] = []
    problems: list[str] = []
    found = sorted({run for directory in directories for run in _find(directory, problems)})
    if not found:
        nothing = f"no run found in {', '.join(map(str, directories))}; a run directory holds a {CONFIG}"
        raise UserError("; ".join([nothing, *problems]))
    for directory in sorted(found, key=lambda directory: not (directory / METRICS).exists()):
        try:
            _check_files(directory, directories)
            run = read_run(directory)
            _check_table(run)
        except Exception as error:  # a stranger's record may break any rule that a task counts on
            problems.append(plain(f"left out {directory}: {in_words(error)}"))
            continue
        if (directory / METRICS).exists() or not any(_same(run, other) for other in runs):
            runs.append(run)
    return sorted(runs, key=_order), problems


def read_run(directory: Path) -> Run:
    """A run with its results and with options that are of its task's present ones.

    Where its record is there, it is scored anew, by the present code and as far as it is: also an unfinished run has
    results. Evidence has what was scored once.

    Raises:
        UserError: when the directory holds no such run.
    """
    run = Run.load(directory)
    name = run.config.get("task")
    if name not in task_names():
        raise UserError(f"its task {name!r} is none of this suite")
    task = load_task(name)
    try:
        config = task.config.from_dict(run.config.get("config", {}))
    except (ValueError, ArithmeticError) as error:
        raise UserError(str(error)) from None
    # What auto stands for is looked up, and fetched; a record has what it was. A device makes no difference.
    for field in fields(config):
        if field.name != "device" and getattr(config, field.name) == "auto":
            raise UserError(f"its option {field.name} is auto, where a record says what that was")
    try:
        json.dumps([run.config, run.summary], allow_nan=False)
    except ValueError:
        raise UserError(f"its {CONFIG} or {SUMMARY} has a number that is not finite") from None
    if run.summary is None or (directory / METRICS).exists():
        run = _scored(task, config, run)
    summary = {**_checked(run.summary or {}), "task": name, "config": config.to_dict()}
    if len(run.per_seed.get("seed", ())) != summary["seeds"]:
        raise UserError(f"its {SEED_SUMMARY} has not one row for each of {summary['seeds']} seeds")
    return replace(run, config={**run.config, "config": config.to_dict()}, summary=summary)


def in_words(error: Exception) -> str:
    """What went wrong; the kind of error is told where its text is not written for readers."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"


def is_finished(run: Run) -> bool:
    """Whether the run was trained for all of its steps."""
    return run.summary is not None and run.summary["steps"] == run.config["config"]["steps"]


def _find(root: Path, problems: list[str]) -> list[Path]:
    """The run directories at or below a directory. Links to directories are not followed, so that the search ends."""
    found = []
    for name, below, files in os.walk(root, onerror=lambda error: problems.append(_unreadable(root, error))):
        directory = Path(name)
        if CONFIG in files:
            found.append(directory)
        for link in (directory / child for child in below):
            if link.is_symlink() and (link / CONFIG).exists():
                problems.append(plain(f"left out {link}: it is a link; name it to have it read"))
        if len(directory.relative_to(root).parts) >= DEEPEST and below:
            problems.append(plain(f"left out what lies below {directory}: it is nested too deeply"))
            below.clear()
    return found


def _unreadable(root: Path, error: OSError) -> str:
    return plain(f"left out {error.filename or root}: {error.strerror or error}")


def _order(run: Run) -> tuple[str, str]:
    task = load_task(run.config["task"])
    return str(default_directory(task, task.config.from_dict(run.config["config"]))), str(run.directory)


def _same(one: Run, other: Run) -> bool:
    return all(one.config[key] == other.config[key] for key in ("task", "config"))


def _scored(task: Task, config: Config, run: Run) -> Run:
    record = run.record()
    if len(record.steps) < 2:
        raise UserError("it has no evaluated step yet")
    if (record.steps[1:] <= record.steps[:-1]).any():
        raise UserError("the steps of its record do not ascend")
    if len(record.seeds) > MOST_SEEDS:
        raise UserError(f"its record has {len(record.seeds)} seeds, more than {MOST_SEEDS}")
    for name, counts in {"step": record.steps, "seed": record.seeds}.items():
        if counts.min() < 0 or counts.max() > LARGEST:  # as which an infinite one reads
            raise UserError(f"its record has a {name} that is none")
    try:
        score = task.score(config, record)
    except KeyError as error:
        raise UserError(f"its record lacks {error}") from None
    results = {"seeds": len(record.seeds), "steps": int(record.steps[-1]), **over_seeds(score)}
    return replace(run, summary={**(run.summary or {}), **results}, per_seed=per_seed(record, score))
