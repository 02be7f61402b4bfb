"""Reports: what the records of runs give, as tables and figures, on the terminal, in files and on one page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks.harness.errors import UserError, describe_error
from tasks.harness.files import write_atomically, write_text
from tasks.harness.registry import load_task, task_names
from tasks.harness.report.chapter import Chapter, make_chapter
from tasks.harness.report.evidence import copy_evidence
from tasks.harness.report.loading import read_runs
from tasks.harness.tables import comma_separated, markdown
from tasks.harness.terminal.sanitize import sanitize
from tasks.harness.terminal.show import show

PAGE = "index.html"
MANY_PANELS = 60
"""A figure of more is drawn coarser, so that its file stays small enough to be committed."""


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
        if of_task := [run for run in runs if run.task == name]:
            try:
                chapters.append(make_chapter(load_task(name), of_task, problems))
            except Exception as error:  # each gives a table by itself; together, strangers' runs may not
                problems.append(sanitize(f"left out the runs of {name}, which give no table: {describe_error(error)}"))
    for chapter in chapters:
        for table in chapter.tables:
            show(table)
    if out is not None and chapters:
        _write(chapters, problems, out)
    print(*problems, sep="\n", end="\n" if problems else "")
    if not chapters:
        others = f" ({len(problems) - 1} more are named above)" if len(problems) > 1 else ""
        raise UserError(f"no run can be used: {problems[0]}{others}")
    if out is not None:
        print(sanitize(f"report: {out / PAGE}"))
    return chapters


def _write(chapters: Sequence[Chapter], problems: list[str], out: Path) -> None:
    from tasks.harness.report.page import Picture, page

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
                problems.append(
                    sanitize(f"the figure {name} of {chapter.task.name} cannot be drawn: {describe_error(error)}")
                )
                continue
            with write_atomically(directory / f"{name}.png", "wb") as file:
                file.write(png.getvalue())
            pictures[chapter.task.name].append(Picture.of(figure, png.getvalue()))
        for run in chapter.runs:
            try:
                copy_evidence(run, out)
            except Exception as error:
                problems.append(sanitize(f"the evidence of {run.directory} is not whole: {describe_error(error)}"))
    write_text(out / PAGE, page(chapters, pictures, problems))
