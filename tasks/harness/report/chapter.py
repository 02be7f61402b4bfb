"""One task's part of a report: its tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.harness.contract import MOST_PANELS, Task
from tasks.harness.errors import describe_error
from tasks.harness.finished_run import FinishedRun
from tasks.harness.report.curve_figures import draw_curves, labels
from tasks.harness.tables import Table
from tasks.harness.terminal.sanitize import sanitize

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_DRAWN = 150
"""Runs in the figures of a task; the largest sweep has 132."""


@dataclass(frozen=True)
class Chapter:
    """One task's part of a report."""

    task: Task
    runs: Sequence[FinishedRun]
    tables: Sequence[Table]
    figures: dict[str, Figure]


def make_chapter(task: Task, runs: Sequence[FinishedRun], problems: list[str], *, draw: bool = True) -> Chapter:
    """The tables and, with ``draw``, the figures of a task's runs.

    Figures that cannot be drawn, or not of all runs, are added to ``problems``.
    """
    unfinished = [
        f"{label} ({run.steps} of {run.options['steps']} steps)"
        for run, label in zip(runs, labels(runs), strict=True)
        if not run.ran_all_steps
    ]
    tables = task.tables(runs)
    if unfinished:
        note = f"Unfinished, shown with their results so far: {', '.join(unfinished)}."
        tables = [replace(table, notes=(*table.notes, note)) for table in tables]
    return Chapter(task, runs, tables, _figures(task, runs, problems) if draw else {})


def _figures(task: Task, runs: Sequence[FinishedRun], problems: list[str]) -> dict[str, Figure]:
    drawn = runs[:MOST_DRAWN]
    if len(drawn) < len(runs):
        problems.append(f"the figures of {task.name} show the first {len(drawn)} of {len(runs)} runs")
    if len(runs) > MOST_PANELS:
        problems.append(
            f"the figures of {task.name} with a panel for each run show the first {MOST_PANELS} of {len(runs)} runs"
        )
    try:
        figures = dict(task.figures(drawn))
    except Exception as error:  # evidence has no record, and foreign results may contain anything
        missing = (
            f"the figures of {task.name} are not redrawn, because the runs lack data for them: {describe_error(error)}"
        )
        problems.append(sanitize(missing))
        figures = {}
    try:
        figures["learning-curves"] = draw_curves(runs[:MOST_PANELS], task.title)
    except Exception as error:
        problems.append(sanitize(f"the learning curves of {task.name} are not redrawn: {describe_error(error)}"))
    for axes in [axes for figure in figures.values() for axes in figure.axes]:
        axes.title.set_parse_math(False)  # text between dollar signs in an option is not a formula
    return figures
