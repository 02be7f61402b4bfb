"""Reports: what the records of runs give, as tables and figures, on the terminal, in files and on one page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.markup import escape

from tasks.harness import curves, evidence
from tasks.harness.contract import Table, Task
from tasks.harness.errors import UserError
from tasks.harness.plain import plain
from tasks.harness.reading import in_words, is_finished, read_runs
from tasks.harness.record import Run, whole, write_text
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


@np.errstate(all="ignore")  # a stranger's numbers are as large as they like
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
            try:
                chapters.append(_chapter(load_task(name), of_task, problems))
            except Exception as error:  # each gives a table by itself; together, strangers' runs may not
                problems.append(plain(f"left out the runs of {name}, which give no table: {in_words(error)}"))
    for chapter in chapters:
        for table in chapter.tables:
            show(_literal(table))
    if out is not None and chapters:
        _write(chapters, problems, out)
    print(*problems, sep="\n", end="\n" if problems else "")
    if not chapters:
        others = f" ({len(problems) - 1} more are named above)" if len(problems) > 1 else ""
        raise UserError(f"no run can be used: {problems[0]}{others}")
    if out is not None:
        print(plain(f"report: {out / PAGE}"))
    return chapters


def _literal(table: Table) -> Table:
    """The same for a terminal, where what stands in brackets would be read as a style."""
    return Table(
        escape(table.title),
        [escape(name) for name in table.header],
        [[escape(cell) for cell in row] for row in table.rows],
        [escape(note) for note in table.notes],
    )


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


def _write(chapters: Sequence[Chapter], problems: list[str], out: Path) -> None:
    from tasks.harness.page import Picture, page

    pictures: dict[str, list[Picture]] = {}
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
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Glyph .* missing")  # of an option in another script
                    figure.savefig(png, format="png", dpi=120 if len(figure.axes) <= MANY_PANELS else 80)
            except Exception as error:  # what no axis can show is found only now
                problems.append(plain(f"the figure {name} of {chapter.task.name} cannot be drawn: {in_words(error)}"))
                continue
            with whole(directory / f"{name}.png", "wb") as file:
                file.write(png.getvalue())
            pictures[chapter.task.name].append(Picture.of(figure, png.getvalue()))
        for run in chapter.runs:
            try:
                evidence.keep(run, out)
            except Exception as error:
                problems.append(plain(f"the evidence of {run.directory} is not whole: {in_words(error)}"))
    write_text(out / PAGE, page(chapters, pictures, problems))
