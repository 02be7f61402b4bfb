"""Reports: tables and figures from the records of runs, on the terminal, in files and on one page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks.harness.errors import UserError, describe_error
from tasks.harness.files import write_atomically, write_text
from tasks.harness.registry import all_task_names, load_task
from tasks.harness.report.chapter import Chapter, make_chapter
from tasks.harness.report.evidence import copy_evidence
from tasks.harness.report.loading import read_runs
from tasks.harness.tables import comma_separated, markdown
from tasks.harness.terminal.sanitize import sanitize
from tasks.harness.terminal.show import show

PAGE = "index.html"


@np.errstate(all="ignore")  # foreign numbers may be arbitrarily large
def report(directories: Sequence[Path], out: Path | None = None) -> list[Chapter]:
    """Print the tables of all runs at or below the directories.

    With ``out``, write them there as Markdown and CSV, the figures as PNG, a page with all of it, and the evidence.

    Raises:
        UserError: when there is no run, or no run that gives a table.
    """
    runs, problems = read_runs(directories)
    chapters = []
    for name in all_task_names():
        if of_task := [run for run in runs if run.task == name]:
            try:
                chapters.append(make_chapter(load_task(name), of_task, problems, draw=out is not None))
            except Exception as error:  # foreign runs may each give a table, but none together
                problems.append(sanitize(f"skipped the runs of {name}, which give no table: {describe_error(error)}"))
    for chapter in chapters:
        for table in chapter.tables:
            show(table)
    if out is not None and chapters:
        _write(chapters, problems, out)
    print(*problems, sep="\n", end="\n" if problems else "")
    if not chapters:
        others = f" ({len(problems) - 1} more are listed above)" if len(problems) > 1 else ""
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
                    warnings.filterwarnings("ignore", "Glyph .* missing")  # an option may be in another script
                    figure.savefig(png, format="png", dpi=120)
            except Exception as error:  # values that no axis can show are found only now
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
                problems.append(sanitize(f"the evidence of {run.directory} is incomplete: {describe_error(error)}"))
    write_text(out / PAGE, page(chapters, pictures, problems))
