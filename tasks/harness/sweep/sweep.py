"""Many runs: those that are complete are skipped, half-done ones resumed, several trained at a time."""

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
        """Whether its results are there already."""
        return is_complete(self.directory)

    @property
    def model_steps(self) -> int:
        """The work in it."""
        return self.config.seeds * self.config.steps

    def train(self) -> None:
        """Train it in this process, on one thread; what is half done is resumed."""
        import torch

        torch.set_num_threads(1)
        run(load_task(self.task), self.config, self.directory, resume=(self.directory / CONFIG).exists())


Ended = Generator[tuple[Job, str | None], None, None]
"""Jobs as they end, with what went wrong, None if nothing did."""


class Engine(Protocol):
    """Where the jobs of a sweep are trained, each in a process of its own."""

    @property
    def workers(self) -> int:
        """Jobs at a time."""

    def __call__(self, jobs: Sequence[Job]) -> Ended:
        """Train the jobs, beginning with the first.

        Closed before its end, the generator interrupts them, and waits until they have saved their status.
        """


def sweep(jobs: Sequence[Job], engine: Engine) -> None:
    """Run what is not complete.

    Raises:
        UserError: after all jobs were tried, when some of them failed; it names them.
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
