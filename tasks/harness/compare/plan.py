"""What `nalu compare` trains: each unit with each learning rate, then with the one that validation chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tasks.harness.cells import short_name
from tasks.harness.contract import Task, UnitComparison
from tasks.harness.finished_run import FinishedRun
from tasks.harness.rundir.directory import default_directory
from tasks.harness.sweep.sweep import Job

TUNING_SEEDS = 3
"""Seeds of each run that tries a learning rate."""
FIRST_TUNING_SEED = 10_000
"""Other seeds than those that are reported, which start at 0."""
VALIDATION = "interpolation/error"


@dataclass(frozen=True)
class Entry:
    """A unit in a contest: the learning rate that validation chose, and the run with it."""

    unit: str
    learning_rate: float
    run: FinishedRun
    success: np.ndarray
    """The success of every seed, from 0 to 1, ``(S,)``."""

    @property
    def label(self) -> str:
        """The unit's name in tables and figures."""
        return short_name(self.unit)


@dataclass(frozen=True)
class Contest:
    """One problem of one task, and the units that are compared on it; the first is the user's."""

    task: Task
    comparison: UnitComparison
    problem: str
    units: Sequence[str]
    profile: str
    root: Path

    def tuning_jobs(self, unit: str) -> list[Job]:
        """One run for each learning rate, in their order."""
        return [self._job(unit, rate, tuning=True) for rate in self.comparison.learning_rates]

    def expected_job(self, unit: str) -> Job:
        """The reported run, or one as long as it while the tuning jobs are not complete."""
        if all(job.complete for job in self.tuning_jobs(unit)):
            return self.best_job(unit)
        return self._job(unit, self.comparison.learning_rates[0], tuning=False)

    def best_job(self, unit: str) -> Job:
        """The run that is reported, once the tuning jobs are complete."""
        return self._job(unit, self._best_rate(unit), tuning=False)

    def entries(self) -> list[Entry]:
        """The results of all units, once all jobs are complete."""
        found = []
        for unit in self.units:
            run = FinishedRun.load(self.best_job(unit).directory)
            found.append(Entry(unit, self._best_rate(unit), run, self.comparison.success(run)))
        return found

    def _job(self, unit: str, learning_rate: float, *, tuning: bool) -> Job:
        config = self.comparison.config(unit, self.problem, self.profile, learning_rate)
        if tuning:
            config = replace(config, seeds=TUNING_SEEDS, first_seed=FIRST_TUNING_SEED)
        folder = self.root / ("tuning" if tuning else "runs")
        return Job(self.task.name, config, default_directory(self.task, config, folder))

    def _best_rate(self, unit: str) -> float:
        """The learning rate with the lowest median validation error; the test sets play no part."""
        runs = [FinishedRun.load(job.directory) for job in self.tuning_jobs(unit)]
        errors = [np.median(np.nan_to_num(run.per_seed[VALIDATION], nan=np.inf)) for run in runs]
        return self.comparison.learning_rates[int(np.argmin(errors))]
