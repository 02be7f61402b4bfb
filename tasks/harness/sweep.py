"""Many runs: those that are complete are skipped, half-done ones resumed, several trained at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType

from tasks.harness.config import Config
from tasks.harness.directory import is_complete
from tasks.harness.errors import UserError
from tasks.harness.progress import progress_bar
from tasks.harness.record import CONFIG
from tasks.harness.registry import load_task
from tasks.harness.run import run


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


def sweep(jobs: Sequence[Job], workers: int) -> None:
    """Run what is not complete, ``workers`` jobs at a time, each in a process of its own with one thread.

    Raises:
        UserError: after all jobs were tried, when some of them failed; it names them.
    """
    open_jobs = sorted((job for job in jobs if not job.complete), key=lambda job: -job.model_steps)
    if not open_jobs:
        return
    failures: list[str] = []
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(
        min(workers, len(open_jobs)), mp_context=context, initializer=_begin_worker, initargs=(stop,)
    )
    with progress_bar() as progress:
        bar = progress.add_task(f"{len(open_jobs)} runs", total=sum(job.model_steps for job in open_jobs))
        try:
            running = {pool.submit(_work, job): job for job in open_jobs}
            for future in as_completed(running):
                job = running[future]
                if (error := future.exception()) is not None:
                    failures.append(f"{job.directory}: {error or type(error).__name__}")
                progress.advance(bar, job.model_steps)
        except BaseException:
            stop.set()
            for worker in multiprocessing.active_children():
                os.kill(worker.pid or 0, signal.SIGINT)  # each saves its status and stops
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if failures:
        raise UserError(f"{len(failures)} of {len(open_jobs)} runs failed: {'; '.join(failures)}")


_stop: Event | None = None
"""In a worker: set when no further job is to be begun."""


def _begin_worker(stop: Event) -> None:
    import torch

    global _stop
    _stop = stop
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an idle worker leaves Ctrl-C to the main process


def _work(job: Job) -> None:
    if _stop is None or _stop.is_set():
        return
    signal.signal(signal.SIGINT, _interrupt_once)
    try:
        run(load_task(job.task), job.config, job.directory, resume=(job.directory / CONFIG).exists())
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Ctrl-C reaches a worker from the terminal and from the main process; the second must not stop the saving."""
    signal.signal(number, signal.SIG_IGN)
    signal.default_int_handler(number, frame)
