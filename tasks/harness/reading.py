"""Runs read for a report: from anywhere, perhaps moved, unfinished, of an older version or from a stranger."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tasks.harness.config import LARGEST, Config
from tasks.harness.contract import Task
from tasks.harness.directory import default_directory
from tasks.harness.errors import UserError
from tasks.harness.plain import plain
from tasks.harness.record import CONFIG, METRICS, SEED_SUMMARY, SUMMARY, Run
from tasks.harness.registry import load_task, task_names
from tasks.harness.run import over_seeds, per_seed

METRIC = ("median", "p10", "p90", "mean", "low", "high")
RATE = ("count", "of", "rate", "low", "high")

# What a report reads at most: more than any published setting leaves, and little enough for any machine.
DEEPEST = 50
"""Directories below the given ones."""
LARGEST_JSON = 2**23
LARGEST_TABLES = 2**26
"""Bytes of all the tables of a run."""
LONGEST_LINE = 2**20
MOST_COLUMNS = 2000
MOST_SEEDS = 10_000


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


def _check_files(directory: Path, roots: Sequence[Path]) -> None:
    """Raise a UserError unless the files of a run lie where they seem to, and are small enough to be read."""
    tables = sorted(directory.glob("*.csv"))
    within = [root.resolve() for root in roots]
    for path in [directory / CONFIG, directory / SUMMARY, *tables]:
        if path.name == SUMMARY and not os.path.lexists(path):
            continue
        try:
            status = path.stat()
        except OSError as error:
            raise UserError(f"its {path.name} cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
            raise UserError(f"its {path.name} is no file")
        if not any(path.resolve().is_relative_to(root) for root in within):
            raise UserError(f"its {path.name} is a link to elsewhere")
        if path.suffix == ".json" and status.st_size > LARGEST_JSON:
            raise UserError(f"its {path.name} has {status.st_size} bytes, more than {LARGEST_JSON}")
    size = sum(table.stat().st_size for table in tables)
    if size > LARGEST_TABLES:
        raise UserError(f"its tables (*.csv) have {size} bytes, more than {LARGEST_TABLES}")
    for table in tables:
        _check_lines(table)


def _check_lines(table: Path) -> None:
    with table.open("rb") as lines:
        columns = 1 + next(lines, b"").count(b",")
        lines.seek(0)
        longest = max(map(len, lines), default=0)
    if columns > MOST_COLUMNS or longest > LONGEST_LINE:
        raise UserError(
            f"its {table.name} has {columns} columns and lines of up to {longest} bytes, more than {MOST_COLUMNS} or "
            f"{LONGEST_LINE}"
        )


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


def _checked(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary itself, when it is of the form that the tables read."""

    def numbers(name: str, keys: Sequence[str], or_none: tuple[None, ...]) -> bool:
        group = summary.get(name)
        return isinstance(group, dict) and all(
            isinstance(entry, dict) and all(_is_number(entry.get(key)) or entry.get(key, "") in or_none for key in keys)
            for entry in group.values()
        )

    counts = all(_is_number(summary.get(name)) and type(summary[name]) is int for name in ("seeds", "steps"))
    if not (counts and numbers("metrics", METRIC, (None,)) and numbers("rates", RATE, ())):
        raise UserError("its summary.json is not of the form that the README documents")
    intervals = [
        *([value[name] for name in ("low", "median", "high")] for value in summary["metrics"].values()),
        *([0, *(value[name] for name in ("low", "rate", "high")), 1] for value in summary["rates"].values()),
    ]
    for interval in ([end for end in ends if end is not None] for ends in intervals):
        if interval != sorted(interval):
            raise UserError("its summary.json has intervals that do not hold their value")
    return summary


def _check_table(run: Run) -> None:
    """Raise a UserError unless a run has the results that the tables are of; evidence of another version may not."""
    try:
        load_task(run.config["task"]).tables([run])
    except Exception as error:  # as in read_runs
        raise UserError(f"a table needs more than it has: {in_words(error)}") from None


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) <= 2**53)
