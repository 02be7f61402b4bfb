"""``nalu compare``: a unit beside the published ones, with the same seeds, steps and tuning."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nalu.units.catalogue import UNITS, find_unit
from tasks.harness.cells import Cell, check_cell, is_own, load_own, short_name
from tasks.harness.compare.plan import Contest
from tasks.harness.compare.results import conclusion, differences, figure, table
from tasks.harness.config import require
from tasks.harness.contract import Task, UnitComparison
from tasks.harness.errors import UserError
from tasks.harness.files import write_atomically, write_text
from tasks.harness.registry import all_task_names, as_command, load_task
from tasks.harness.sweep.estimate import estimate, format_duration
from tasks.harness.sweep.local_engine import LocalEngine
from tasks.harness.sweep.ray_engine import RayEngine
from tasks.harness.sweep.sweep import Engine, sweep
from tasks.harness.tables import markdown
from tasks.harness.terminal.sanitize import is_text, sanitize
from tasks.harness.terminal.show import show


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Compare a unit with published ones, with the same seeds, steps and tuning for all."""

    cell: Cell
    """The unit."""
    against: tuple[str, ...] | None = None
    """The other units; by default the published ones for each operation."""
    op: tuple[str, ...] | None = None
    """The operations; by default those that the unit is made for."""
    tasks: tuple[str, ...] | None = None
    """The tasks, by their names in `nalu list`; by default all that compare units."""
    profile: Literal["quick", "standard"] = "quick"
    """quick: minutes. standard: hours, for a paper."""
    out: Path | None = None
    """Directory for the runs, the table and the figure; by default runs/compare/<unit>-<profile>."""
    workers: int | None = None
    """Number of runs at a time, each on one thread; by default one per core."""
    engine: Literal["local", "ray"] = "local"
    """Run on processes of this machine, or on Ray."""

    def __post_init__(self) -> None:
        require(self.out is None or is_text(str(self.out)), f"--out must be a path in UTF-8, got {self.out}")
        check_cell("--cell", self.cell, tuple(UNITS))
        for unit in self.against or ():
            check_cell("--against", unit, tuple(UNITS))
        require(self.workers is None or self.workers >= 1, f"--workers must be at least 1, got {self.workers}")

    def __call__(self) -> None:
        """Train what is not trained yet, and print the table and the conclusion.

        Raises:
            UserError: when a unit cannot be used, or no task compares units on the operations.
        """
        for unit in (self.cell, *(self.against or ())):
            for lack in load_own(unit) if is_own(unit) else ():
                print(sanitize(lack))
        out = self.out or Path("runs") / "compare" / f"{short_name(self.cell)}-{self.profile}"
        contests = self._contests(out)
        out.mkdir(parents=True, exist_ok=True)  # an error now, not after the estimate, once for each run
        require(os.access(out, os.W_OK), f"--out must be a directory to write to, got {out}")
        workers = self.workers or os.cpu_count() or 1
        engine: Engine = RayEngine(None, workers) if self.engine == "ray" else LocalEngine(workers)
        units = [(contest, unit) for contest in contests for unit in contest.units]
        tuning = [job for contest, unit in units for job in contest.tuning_jobs(unit)]
        reported = [contest.expected_job(unit) for contest, unit in units]
        kept = sum(job.complete for job in [*tuning, *reported])
        if kept and any(is_own(unit) for _, unit in units):
            print(sanitize(f"{kept} runs are kept from before; if a unit has changed since, delete {out}"))
        if open_jobs := [job for job in [*tuning, *reported] if not job.complete]:
            print(f"{len(open_jobs)} runs to do, {engine.workers} at a time; measuring ...", flush=True)
            print(f"estimate: about {format_duration(estimate(open_jobs, engine.workers))}", flush=True)
        sweep(tuning, engine)
        sweep([contest.best_job(unit) for contest, unit in units], engine)
        entered = [(contest, contest.entries()) for contest in contests]
        found = differences(entered)
        results = table(entered, found)
        show(results)
        print(sanitize(conclusion(found)))
        write_text(out / "comparison.md", f"{markdown(results)}\n{conclusion(found)}\n")
        with write_atomically(out / "comparison.png", "wb") as file:
            figure(found).savefig(file, format="png", dpi=120)
        print(sanitize(f"table and figure: {out / 'comparison.md'}, {out / 'comparison.png'}"))

    def _contests(self, out: Path) -> list[Contest]:
        comparing: dict[str, tuple[Task, UnitComparison]] = {}
        for name in all_task_names():
            with contextlib.suppress(UserError):  # a broken task of another package harms no other command
                if (comparison := (task := load_task(name)).comparison) is not None:
                    comparing[task.command] = task, comparison
        wanted = dict.fromkeys(as_command(name) for name in self.tasks or comparing)
        for name in wanted:
            require(name in comparing, f"--tasks must be among {', '.join(comparing)}, got {name}")
        known = dict.fromkeys(problem for _, comparison in comparing.values() for problem in comparison.rivals)
        problems = dict.fromkeys(self.op or find_unit(self.cell).operations)
        for problem in problems:
            require(problem in known, f"--op must be among {', '.join(known)}, got {problem}")
        contests = []
        for name in wanted:
            task, comparison = comparing[name]
            for problem in problems:
                given = dict.fromkeys(self.against or comparison.rivals.get(problem, ()))
                others = [unit for unit in given if unit != self.cell]
                if problem in comparison.rivals and others:
                    contests.append(Contest(task, comparison, problem, (self.cell, *others), self.profile, out))
        if not contests:
            raise UserError(f"there is nothing to compare {self.cell} with; give other units by --against")
        return contests
