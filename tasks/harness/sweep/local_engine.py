"""Train the jobs of a sweep on this machine, several at a time."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.synchronize import Event

from tasks.harness.sweep.sweep import Ended, Job
from tasks.harness.training.signals import (
    exit_with_parent,
    ignore_interrupts,
    interrupt,
    interruptible_once,
    only_the_first_interrupt,
)

RETRIES = 10
"""How often the remaining jobs are restarted, each from its checkpoint, after a worker was killed."""


@dataclass(frozen=True)
class LocalEngine:
    """Trains ``workers`` jobs at a time; see :class:`tasks.harness.sweep.sweep.Engine`."""

    workers: int

    def __call__(self, jobs: Sequence[Job]) -> Ended:
        left = list(jobs)
        started = multiprocessing.get_context("spawn").Event()
        for retries in reversed(range(1 + RETRIES)):
            with closing(self._begin(left, started)) as ended:
                for job, error in ended:
                    if isinstance(error, BrokenProcessPool) and retries and started.is_set():
                        continue  # one killed worker ends all workers
                    left.remove(job)
                    yield job, None if error is None else _describe(error, started.is_set())
            if not left:
                return

    def _begin(self, jobs: Sequence[Job], started: Event) -> Generator[tuple[Job, BaseException | None], None, None]:
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        pool = ProcessPoolExecutor(
            min(self.workers, len(jobs)), mp_context=context, initializer=_start_worker, initargs=(stop, started)
        )
        with only_the_first_interrupt():
            try:
                running = {pool.submit(_work, job): job for job in jobs}
                for future in as_completed(running):
                    yield running[future], future.exception()
                pool.shutdown()
            except BaseException:
                stop.set()
                for worker in multiprocessing.active_children():
                    if worker.pid is not None:
                        interrupt(worker.pid)  # each saves its status and stops
                pool.shutdown(cancel_futures=True)
                raise


def _describe(error: BaseException, started: bool) -> str:
    if isinstance(error, BrokenProcessPool):
        if not started:
            return "no worker could start; a script must call sweep() below if __name__ == '__main__':"
        return "the worker was killed repeatedly (out of memory?); try fewer --workers"
    return str(error) or type(error).__name__


_stop: Event | None = None
"""In a worker: set when it must start no further job."""
_training = threading.Lock()
"""In a worker: held from the start of a job until its status is saved."""


def _start_worker(stop: Event, started: Event) -> None:
    global _stop
    _stop = stop
    started.set()
    ignore_interrupts()  # an idle worker leaves Ctrl-C to the main process
    exit_with_parent(before_exit=_stop_job)


def _stop_job() -> None:
    """Interrupt the job of this worker and wait until its status is saved."""
    if _stop is not None:
        _stop.set()
    interrupt(os.getpid())
    _training.acquire()


def _work(job: Job) -> None:
    with _training, interruptible_once():
        if _stop is not None and not _stop.is_set():
            job.train()
