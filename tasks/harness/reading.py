"""Runs read for a report: from anywhere, perhaps moved, unfinished, of an older version or from a stranger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.harness.config import Config
from tasks.harness.contract import Task
from tasks.harness.directory import default_directory
from tasks.harness.errors import UserError
from tasks.harness.record import CONFIG, METRICS, Run
from tasks.harness.registry import load_task, task_names
from tasks.harness.run import over_seeds, per_seed

METRIC = ("median", "p10", "p90", "mean", "low", "high")
RATE = ("count", "of", "rate", "low", "high")


def read_runs(directories: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The runs at or below the given directories, and a line for each one that cannot be used.

    Their order is that of their options, so that a report is the same wherever they lie.

    A copy that is only evidence (a summary without its record) is left out where the run itself, or another copy of it,
    was found.

    Raises:
        UserError: when there is no run at all.
    """
    found = sorted({path.parent for directory in directories for path in directory.rglob(CONFIG)})
    if not found:
        raise UserError(f"no run found in {', '.join(map(str, directories))}; a run directory holds a {CONFIG}")
    runs, problems = [], []
    for directory in sorted(found, key=lambda directory: not (directory / METRICS).exists()):
        try:
            run = read_run(directory)
        except UserError as error:
            problems.append(f"left out {directory}: {error}")
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
    if run.summary is None or (directory / METRICS).exists():
        run = _scored(task, config, run)
    summary = {**_checked(run.summary or {}), "task": name, "config": config.to_dict()}
    return replace(run, config={**run.config, "config": config.to_dict()}, summary=summary)


def is_finished(run: Run) -> bool:
    """Whether the run was trained for all of its steps."""
    return run.summary is not None and run.summary["steps"] == run.config["config"]["steps"]


def _order(run: Run) -> tuple[str, str]:
    task = load_task(run.config["task"])
    return str(default_directory(task, task.config.from_dict(run.config["config"]))), str(run.directory)


def _same(one: Run, other: Run) -> bool:
    return all(one.config[key] == other.config[key] for key in ("task", "config"))


def _scored(task: Task, config: Config, run: Run) -> Run:
    record = run.record()
    if len(record.steps) < 2:
        raise UserError("it has no evaluated step yet")
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

    counts = all(type(summary.get(name)) is int for name in ("seeds", "steps"))
    if not (counts and numbers("metrics", METRIC, (None,)) and numbers("rates", RATE, ())):
        raise UserError("its summary.json is not of the form that the README documents")
    return summary


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
