"""Train many runs, several at a time; complete runs are skipped, half-done runs are resumed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.harness.config import Config
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG
from tasks.harness.registry import load_task
from tasks.harness.rundir.directory import is_complete
from tasks.harness.terminal.progress import progress_bar
from tasks.harness.training.run import run


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    task: str
    config: Config
    directory: Path

    @property
    def complete(self) -> bool:
        """Whether its results exist already."""
        return is_complete(self.directory)

    @property
    def model_steps(self) -> int:
        """The amount of work: seeds times steps."""
        return self.config.seeds * self.config.steps

    def train(self) -> None:
        """Train the job in this process, on one thread; a half-done run is resumed."""
        run(load_task(self.task), self.config, self.directory, resume=(self.directory / CONFIG).exists(), threads=1)


Ended = Generator[tuple[Job, str | None], None, None]
"""Jobs as they end, each with an error message, or None if it succeeded."""


class Engine(Protocol):
    """Where the jobs of a sweep are trained, each in a process of its own.

    ``cli/commands.py`` chooses an engine by ``--engine``.
    """

    @property
    def workers(self) -> int:
        """The number of jobs that are trained at a time."""

    def __call__(self, jobs: Sequence[Job]) -> Ended:
        """Train the jobs, beginning with the first.

        If the generator is closed early, it interrupts the jobs and waits until they have saved their status.
        """


def sweep(jobs: Sequence[Job], engine: Engine) -> None:
    """Train the jobs that are not complete.

    Raises:
        UserError: when some jobs failed, after all jobs were tried; the message names the failed ones.
    """
    open_jobs = sorted((job for job in jobs if not job.complete), key=lambda job: -job.model_steps)
    if not open_jobs:
        return
    failures: list[str] = []
    with progress_bar() as progress, closing(engine(open_jobs)) as ended:
        bar = progress.add_task(f"{len(open_jobs)} runs", total=sum(job.model_steps for job in open_jobs))
        for job, error in ended:
            if error is not None:
                failures.append(f"{job.directory}: {error}")
            progress.advance(bar, job.model_steps)
    if failures:
        raise UserError(f"{len(failures)} of {len(open_jobs)} runs failed: {'; '.join(failures)}")
