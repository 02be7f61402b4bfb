"""One task's part of a report: its tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.harness import curves
from tasks.harness.contract import Task
from tasks.harness.record import Run
from tasks.harness.report.loading import in_words, is_finished
from tasks.harness.tables import Table
from tasks.harness.terminal.sanitize import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Chapter:
    """One task's part of a report."""

    task: Task
    runs: Sequence[Run]
    tables: Sequence[Table]
    figures: dict[str, Figure]


def _chapter(task: Task, runs: Sequence[Run], problems: list[str]) -> Chapter:
    unfinished = [
        f"{label} ({run.summary['steps']} of {run.config['config']['steps']} steps)"
        for run, label in zip(runs, curves.labels(runs), strict=True)
        if run.summary is not None and not is_finished(run)
    ]
    tables = task.tables(runs)
    if unfinished:
        note = f"Not finished, and shown as far as they are: {', '.join(unfinished)}."
        tables = [replace(table, notes=(*table.notes, note)) for table in tables]
    try:
        figures = dict(task.figures(runs))
    except Exception as error:  # evidence has no record, and a stranger's results may be anything
        missing = f"the figures of {task.name} are not drawn anew, they need more than the runs have: {in_words(error)}"
        problems.append(plain(missing))
        figures = {}
    try:
        figures["learning-curves"] = curves.draw(runs, task.title)
    except Exception as error:
        problems.append(plain(f"the learning curves of {task.name} are not drawn anew: {in_words(error)}"))
    for axes in [axes for figure in figures.values() for axes in figure.axes]:
        axes.title.set_parse_math(False)  # an option's value between dollars is no formula
    return Chapter(task, runs, tables, figures)
