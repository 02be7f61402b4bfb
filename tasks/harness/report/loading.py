"""Read runs for a report: from anywhere, possibly moved, unfinished, of an older version or from a stranger."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from tasks.harness.config import Config
from tasks.harness.contract import Task
from tasks.harness.errors import UserError, describe_error
from tasks.harness.files import CONFIG, METRICS, SEED_SUMMARY, SUMMARY, check_checksums, read_columns, read_json
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.registry import all_task_names, load_task
from tasks.harness.report.untrusted import check_files, check_record, check_table, checked_digests, checked_summary
from tasks.harness.rundir.directory import default_directory
from tasks.harness.summary import over_seeds, per_seed
from tasks.harness.terminal.sanitize import sanitize

DEEPEST = 50
"""Greatest depth of directories that are searched below the given ones."""


def read_runs(directories: Sequence[Path]) -> tuple[list[FinishedRun], list[str]]:
    """The runs at or below the given directories, and one line for each run that is skipped.

    Runs are sorted by their options, so that a report does not depend on where they are stored.

    A copy that is only evidence (a summary without its record) is omitted if the run itself or another copy of it was
    found.

    Raises:
        UserError: when there is no run at all.
    """
    runs: list[FinishedRun] = []
    found_already: set[str] = set()
    problems: list[str] = []
    found = sorted({run for directory in directories for run in _find(directory, problems)})
    if not found:
        nothing = f"no run found in {', '.join(map(str, directories))}; a run directory contains a {CONFIG}"
        raise UserError("; ".join([nothing, *problems]))
    for directory in sorted(found, key=lambda directory: not (directory / METRICS).exists()):
        try:
            check_files(directory, directories)
            run = read_run(directory)
            check_table(run)
        except Exception as error:  # a foreign record may break any rule that a task relies on
            problems.append(sanitize(f"skipped {directory}: {describe_error(error)}"))
            continue
        if (directory / METRICS).exists() or _identity(run) not in found_already:
            runs.append(run)
            found_already.add(_identity(run))
    return sorted(runs, key=_order), problems


def read_run(directory: Path) -> FinishedRun:
    """A run with its results; its options must be valid for the current version of its task.

    A run that has a record is scored again by the current code, even if it is unfinished. Evidence keeps its stored
    results.

    Raises:
        UserError: when the directory contains no such run.
    """
    description = read_json(directory / CONFIG)
    summary, seeds = _stored_results(directory)
    name = description.get("task")
    if name not in all_task_names():
        raise UserError(f"unknown task {name!r}; no installed package has it")
    task = load_task(name)
    try:
        config = task.config.from_dict(description.get("config", {}))
    except (ValueError, ArithmeticError) as error:
        raise UserError(str(error)) from None
    # Resolving auto may look for data and download them; a record has the resolved value. The device does not matter.
    for field in fields(config):
        if field.name != "device" and getattr(config, field.name) == "auto":
            raise UserError(f"its option {field.name} is auto; a record must contain the resolved value")
    try:
        json.dumps([description, summary], allow_nan=False)
    except ValueError:
        raise UserError(f"its {CONFIG} or {SUMMARY} contains a number that is not finite") from None
    if not summary or (directory / METRICS).exists():
        results, seeds = _scored(task, config, Record.load(directory / METRICS))
        summary = {**summary, **results}
    summary = {**checked_summary(summary), "task": name, "config": config.to_dict()}
    if len(seeds.get("seed", ())) != summary["seeds"]:
        raise UserError(f"its {SEED_SUMMARY} must have one row for each of {summary['seeds']} seeds")
    return FinishedRun(directory, {**description, "config": config.to_dict()}, summary, seeds)


def _stored_results(directory: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """summary.json and summary.csv; empty while the run is unfinished."""
    if not (directory / SUMMARY).exists():
        return {}, {}
    summary = read_json(directory / SUMMARY)
    check_checksums(directory, checked_digests(summary))
    return summary, read_columns(directory / SEED_SUMMARY)


def _scored(task: Task, config: Config, record: Record) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The results of a record: over all seeds, and for every seed."""
    check_record(record)
    try:
        score = task.score(config, record)
    except KeyError as error:
        raise UserError(f"its record lacks {error}") from None
    results = {"seeds": len(record.seeds), "steps": int(record.steps[-1]), **over_seeds(score)}
    return results, per_seed(record, score)


def _find(root: Path, problems: list[str]) -> list[Path]:
    """The run directories at or below a directory. Links to directories are not followed, so that the search ends."""
    found = []
    for name, below, files in os.walk(root, onerror=lambda error: problems.append(_unreadable(root, error))):
        directory = Path(name)
        if CONFIG in files:
            found.append(directory)
        for link in (directory / child for child in below):
            if link.is_symlink() and (link / CONFIG).exists():
                problems.append(sanitize(f"skipped {link}: it is a link; name it as an argument to include it"))
        if len(directory.relative_to(root).parts) >= DEEPEST and below:
            problems.append(sanitize(f"skipped everything below {directory}: it is nested too deeply"))
            below.clear()
    return found


def _unreadable(root: Path, error: OSError) -> str:
    return sanitize(f"skipped {error.filename or root}: {error.strerror or error}")


def _order(run: FinishedRun) -> tuple[str, str]:
    task = load_task(run.task)
    return str(default_directory(task, task.config.from_dict(run.options))), str(run.directory)


def _identity(run: FinishedRun) -> str:
    return json.dumps([run.task, run.options], sort_keys=True)
