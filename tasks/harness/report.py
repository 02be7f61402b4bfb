"""Reports: what the records of runs give, as tables and figures, on the terminal, in files and on one page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.harness import curves, evidence
from tasks.harness.contract import Table, Task
from tasks.harness.errors import UserError
from tasks.harness.reading import is_finished, read_runs
from tasks.harness.record import Run, write_text
from tasks.harness.registry import load_task, task_names
from tasks.harness.render import comma_separated, markdown, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "index.html"
MANY_PANELS = 60
"""A figure of more is drawn coarser, so that its file stays small enough to be committed."""


@dataclass(frozen=True)
class Chapter:
    """One task's part of a report."""

    task: Task
    runs: Sequence[Run]
    tables: Sequence[Table]
    figures: dict[str, Figure]


def report(directories: Sequence[Path], out: Path | None = None) -> list[Chapter]:
    """Print the tables of all runs at or below the directories.

    With ``out``, write them there as Markdown and CSV, the figures as PNG, a page with all of it, and the evidence.

    Raises:
        UserError: when there is no run, or none of which a table can be made.
    """
    runs, problems = read_runs(directories)
    chapters = []
    for name in task_names():
        if of_task := [run for run in runs if run.config["task"] == name]:
            task = load_task(name)
            if usable := [run for run in of_task if _has_table(task, run, problems)]:
                chapters.append(_chapter(task, usable, problems))
    for chapter in chapters:
        for table in chapter.tables:
            show(table)
    if not chapters:
        raise UserError("; ".join(problems))
    print(*problems, sep="\n", end="\n" if problems else "")
    if out is not None:
        _write(chapters, problems, out)
        print(f"report: {out / PAGE}")
    return chapters


def _has_table(task: Task, run: Run, problems: list[str]) -> bool:
    """Whether a run has the results that the tables are of; evidence of another version may lack some."""
    try:
        task.tables([run])
    except (UserError, KeyError) as error:
        problems.append(f"left out {run.directory}: a table needs more than it has: {error}")
        return False
    return True


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
    except (UserError, KeyError) as error:
        problems.append(f"the figures of {task.name} are not drawn anew, they need more than the runs have: {error}")
        figures = {}
    try:
        figures["learning-curves"] = curves.draw(runs, task.title)
    except (UserError, KeyError) as error:
        problems.append(f"the learning curves of {task.name} are not drawn anew: {error}")
    return Chapter(task, runs, tables, figures)


def _write(chapters: Sequence[Chapter], problems: Sequence[str], out: Path) -> None:
    from tasks.harness.page import Picture, page

    pictures = {}
    for chapter in chapters:
        directory = out / chapter.task.name
        directory.mkdir(parents=True, exist_ok=True)
        for old in [*directory.glob("table-*.md"), *directory.glob("table-*.csv")]:
            old.unlink()
        for number, table in enumerate(chapter.tables, start=1):
            write_text(directory / f"table-{number}.md", markdown(table))
            write_text(directory / f"table-{number}.csv", comma_separated(table))
        pictures[chapter.task.name] = []
        for name, figure in chapter.figures.items():
            png = io.BytesIO()
            figure.savefig(png, format="png", dpi=120 if len(figure.axes) <= MANY_PANELS else 80)
            (directory / f"{name}.png").write_bytes(png.getvalue())
            pictures[chapter.task.name].append(Picture.of(figure, png.getvalue()))
        for run in chapter.runs:
            evidence.keep(run, out)
    write_text(out / PAGE, page(chapters, pictures, problems))
