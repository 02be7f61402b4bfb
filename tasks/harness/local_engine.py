"""The jobs of a sweep on this machine, several at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from types import FrameType

from tasks.harness.sweep import Ended, Job


@dataclass(frozen=True)
class LocalEngine:
    """Trains ``workers`` jobs at a time; see :class:`tasks.harness.sweep.Engine`."""

    workers: int

    def __call__(self, jobs: Sequence[Job]) -> Ended:
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        pool = ProcessPoolExecutor(
            min(self.workers, len(jobs)), mp_context=context, initializer=_begin_worker, initargs=(stop,)
        )
        try:
            running = {pool.submit(_work, job): job for job in jobs}
            for future in as_completed(running):
                error = future.exception()
                yield running[future], None if error is None else str(error) or type(error).__name__
        except BaseException:
            stop.set()
            for worker in multiprocessing.active_children():
                os.kill(worker.pid or 0, signal.SIGINT)  # each saves its status and stops
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_stop: Event | None = None
"""In a worker: set when no further job is to be begun."""


def _begin_worker(stop: Event) -> None:
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an idle worker leaves Ctrl-C to the main process
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    """When the main process is killed, interrupt this worker, so that the sweep can be started again at once."""
    main = multiprocessing.parent_process()
    if main is not None:
        main.join()
        if _stop is not None:
            _stop.set()
        os.kill(os.getpid(), signal.SIGINT)


def _work(job: Job) -> None:
    if _stop is None or _stop.is_set():
        return
    signal.signal(signal.SIGINT, _interrupt_once)
    try:
        job.train()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Ctrl-C reaches a worker from the terminal and from the main process; the second must not stop the saving."""
    signal.signal(number, signal.SIG_IGN)
    signal.default_int_handler(number, frame)
