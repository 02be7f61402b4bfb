"""The commands over all tasks: ``nalu list``, ``reproduce``, ``report``, ``check``, ``new-task`` and others."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from tasks.harness.cli.cards import print_cards
from tasks.harness.cli.check import Check
from tasks.harness.cli.compare_units import Compare
from tasks.harness.cli.new_task import NewTask
from tasks.harness.cli.show_run import Show
from tasks.harness.config import require
from tasks.harness.contract import Task
from tasks.harness.errors import UserError
from tasks.harness.registry import all_task_names, as_command, as_package, load_task
from tasks.harness.report.report import report
from tasks.harness.rundir.directory import default_directory
from tasks.harness.sweep.estimate import estimate, format_duration
from tasks.harness.sweep.local_engine import LocalEngine
from tasks.harness.sweep.ray_engine import RayEngine
from tasks.harness.sweep.sweep import Engine, Job, sweep
from tasks.harness.terminal.sanitize import is_text, sanitize


@dataclass(frozen=True)
class List:
    """List the tasks of this suite."""

    def __call__(self) -> None:
        """Print one line a task."""
        print_cards()


@dataclass(frozen=True, kw_only=True)
class Reproduce:
    """Train the runs of all tables, skip complete runs, and write the report."""

    profile: Literal["quick", "standard", "full"] = "quick"
    """quick: minutes. standard: an evening. full: the published numbers of seeds and steps."""
    tasks: tuple[str, ...] | None = None
    """Tasks to run, by their names in `nalu list`; by default all."""
    out: Path | None = None
    """Directory for the runs and the report; by default runs/<profile>."""
    workers: int | None = None
    """Number of runs at a time, each on one thread; by default one per core."""
    engine: Literal["local", "ray"] = "local"
    """Run on processes of this machine, or on Ray."""
    address: str | None = None
    """Address of a Ray cluster, or auto to find this machine's; by default a new cluster on this machine."""

    def __post_init__(self) -> None:
        require(self.out is None or is_text(str(self.out)), f"--out must be a path in UTF-8, got {self.out}")
        require(self.workers is None or self.workers >= 1, f"--workers must be at least 1, got {self.workers}")
        require(
            self.address is None or self.engine == "ray",
            f"--address needs --engine ray, got {self.address}",
        )
        require(
            self.address is None or self.workers is None,
            "--workers cannot be combined with --address: a cluster runs one worker per core",
        )
        known = [as_command(name) for name in all_task_names()]
        require(self.tasks != (), f"--tasks must be among {', '.join(known)}, got nothing")
        for name in self.tasks or ():
            near = difflib.get_close_matches(as_command(name), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            require(as_command(name) in known, f"--tasks must be among {', '.join(known)}, got {name}{hint}")

    def __call__(self) -> None:
        """Run it."""
        out = self.out or Path("runs") / self.profile
        jobs = [
            Job(task.name, config, default_directory(task, config, out))
            for task in self._tasks()
            for config in task.sweep[self.profile]
        ]
        if open_jobs := [job for job in jobs if not job.complete]:
            engine = self._begin_engine()
            print(f"{len(open_jobs)} of {len(jobs)} runs to do, {engine.workers} at a time; measuring ...", flush=True)
            print(f"estimate: about {format_duration(estimate(open_jobs, engine.workers))}", flush=True)
            sweep(open_jobs, engine)
        chapters = report([job.directory for job in jobs], out / "report")
        from tasks.harness.rundir.tensorboard import show_figures  # imports TensorBoard, which takes a second

        for chapter in chapters:
            show_figures(out / "report" / chapter.task.name, chapter.figures)

    def _tasks(self) -> Iterator[Task]:
        """The chosen tasks. A task that was not named and cannot be loaded is left out, with one line on stderr."""
        chosen = None if self.tasks is None else {as_package(name) for name in self.tasks}
        for name in all_task_names():
            if chosen is None or name in chosen:
                try:
                    yield load_task(name)
                except UserError as error:
                    if chosen is not None:
                        raise
                    print(sanitize(f"not available: {error}"), file=sys.stderr)

    def _begin_engine(self) -> Engine:
        workers = self.workers or os.cpu_count() or 1
        return RayEngine(self.address, workers) if self.engine == "ray" else LocalEngine(workers)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Show the tables of finished runs beside the published figures."""

    runs: tyro.conf.Positional[tuple[Path, ...]] = (Path("runs"),)
    """Run directories, or folders that contain them."""
    out: Path | None = None
    """Directory for the HTML page, tables, figures and evidence; by default no files are written."""

    def __call__(self) -> None:
        """Run it."""
        report(self.runs, self.out)


COMMANDS = {
    "list": List,
    "reproduce": Reproduce,
    "report": Report,
    "show": Show,
    "compare": Compare,
    "check": Check,
    "new-task": NewTask,
}
"""Command name to command; each task adds its own."""
