"""Reports: the tables and figures that the records of finished runs give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.harness.errors import UserError
from tasks.harness.record import CONFIG, Run, write_text
from tasks.harness.registry import load_task, task_names
from tasks.harness.render import comma_separated, markdown, show


def find_runs(directories: Sequence[Path]) -> list[Run]:
    """The run directories at or below the given ones, by name.

    Raises:
        UserError: when there is none, or one cannot be read.
    """
    found = sorted({path.parent for directory in directories for path in directory.rglob(CONFIG)})
    if not found:
        raise UserError(f"no run found in {', '.join(map(str, directories))}; a run directory holds a {CONFIG}")
    return [Run.load(directory) for directory in found]


def report(runs: Sequence[Run], out: Path | None = None) -> None:
    """Print the tables of every task; with ``out``, write them there as Markdown and CSV, and the figures as PNG."""
    for name in task_names():
        of_task = [run for run in runs if run.config.get("task") == name and run.summary is not None]
        if not of_task:
            continue
        task = load_task(name)
        tables = task.tables(of_task)
        for table in tables:
            show(table)
        if out is None:
            continue
        from tasks.harness.board import show_figures  # imports TensorBoard, which takes a second

        directory = out / name
        directory.mkdir(parents=True, exist_ok=True)
        for number, table in enumerate(tables, start=1):
            write_text(directory / f"table-{number}.md", markdown(table))
            write_text(directory / f"table-{number}.csv", comma_separated(table))
        figures = task.figures(of_task)
        for figure_name, figure in figures.items():
            figure.savefig(directory / f"{figure_name}.png", dpi=120)
        show_figures(directory, figures)
    unfinished = [run for run in runs if run.summary is None]
    if unfinished:
        print(f"{len(unfinished)} unfinished: {', '.join(str(run.directory) for run in unfinished)}")
    if out is not None:
        print(f"tables and figures: {out}")
