"""Limits and checks for records from strangers, applied before a report reads them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.harness.config import LARGEST
from tasks.harness.errors import UserError, describe_error
from tasks.harness.files import CONFIG, FORMULAS, SUMMARY
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.registry import load_task

METRIC = ("median", "p10", "p90", "mean", "low", "high")
RATE = ("count", "of", "rate", "low", "high")

# Limits of what a report reads; no published setting reaches them.
LARGEST_TEXT = 2**23
"""Bytes of a JSON file, and of the formulas."""
LARGEST_TABLES = 2**26
"""Bytes of all tables of a run together."""
LONGEST_LINE = 2**20
MOST_COLUMNS = 2000
MOST_SEEDS = 10_000


def check_files(directory: Path, roots: Sequence[Path]) -> None:
    """Raise a UserError unless a run's files are regular, within the given directories, and small enough to read."""
    tables = sorted(directory.glob("*.csv"))
    within = [root.resolve() for root in roots]
    for path in [directory / CONFIG, directory / SUMMARY, directory / FORMULAS, *tables]:
        if path.name in (SUMMARY, FORMULAS) and not os.path.lexists(path):
            continue
        try:
            status = path.stat()
        except OSError as error:
            raise UserError(f"its {path.name} cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
            raise UserError(f"its {path.name} is not a regular file")
        if not any(path.resolve().is_relative_to(root) for root in within):
            raise UserError(f"its {path.name} is a link out of the given directories")
        if path.suffix != ".csv" and status.st_size > LARGEST_TEXT:
            raise UserError(f"its {path.name} has {status.st_size} bytes, more than {LARGEST_TEXT}")
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
            f"its {table.name} has {columns} columns and lines of up to {longest} bytes; the limits are {MOST_COLUMNS} "
            f"and {LONGEST_LINE}"
        )


def checked_summary(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary itself, after a check that it has the form that the tables expect."""

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
            raise UserError("its summary.json has an interval that does not contain its estimate")
    return summary


def check_table(run: FinishedRun) -> None:
    """Raise a UserError unless a run has all results that its tables need; evidence of another version may not."""
    try:
        load_task(run.task).tables([run])
    except Exception as error:  # as in read_runs
        raise UserError(f"it lacks a result that a table needs: {describe_error(error)}") from None


def checked_digests(summary: dict[str, Any]) -> dict[str, str]:
    """The checksums that a summary states of files beside it: plain names of tables, so that no other file is read."""
    digests = summary.get("sha256", {})
    if not isinstance(digests, dict) or not all(
        isinstance(digest, str) and Path(name).name == name for name, digest in digests.items()
    ):
        raise UserError("its summary.json has checksums that are not of the form that the README documents")
    return {name: digest for name, digest in digests.items() if name.endswith(".csv")}


def check_record(record: Record) -> None:
    """Raise a UserError unless a record can be scored: its evaluated steps ascend, and its seeds are valid."""
    if len(record.steps) < 2:
        raise UserError("it has no evaluated step yet")
    if (record.steps[1:] <= record.steps[:-1]).any():
        raise UserError("the steps of its record do not ascend")
    if len(record.seeds) > MOST_SEEDS:
        raise UserError(f"its record has {len(record.seeds)} seeds, more than {MOST_SEEDS}")
    for name, counts in {"step": record.steps, "seed": record.seeds}.items():
        if counts.min() < 0 or counts.max() > LARGEST:  # infinity is read as a negative number
            raise UserError(f"its record has an invalid {name}")


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) <= 2**53)
