"""The jobs of a sweep on this machine, several at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from types import FrameType

from tasks.harness.sweep.sweep import Ended, Job

RETRIES = 10
"""How often the jobs that are left are begun again, each from its checkpoint, after a worker was killed."""


@dataclass(frozen=True)
class LocalEngine:
    """Trains ``workers`` jobs at a time; see :class:`tasks.harness.sweep.Engine`."""

    workers: int

    def __call__(self, jobs: Sequence[Job]) -> Ended:
        left = list(jobs)
        for retries in reversed(range(1 + RETRIES)):
            with closing(self._begin(left)) as ended:
                for job, error in ended:
                    if retries and isinstance(error, BrokenProcessPool):
                        continue  # one killed worker ends them all
                    left.remove(job)
                    yield job, None if error is None else _in_words(error)
            if not left:
                return

    def _begin(self, jobs: Sequence[Job]) -> Generator[tuple[Job, BaseException | None], None, None]:
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        pool = ProcessPoolExecutor(
            min(self.workers, len(jobs)), mp_context=context, initializer=_begin_worker, initargs=(stop,)
        )
        with _interrupted_once():
            try:
                running = {pool.submit(_work, job): job for job in jobs}
                for future in as_completed(running):
                    yield running[future], future.exception()
                pool.shutdown()
            except BaseException:
                stop.set()
                for worker in multiprocessing.active_children():
                    os.kill(worker.pid or 0, signal.SIGINT)  # each saves its status and stops
                pool.shutdown(cancel_futures=True)
                raise


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Let only the first Ctrl-C interrupt us: the next would keep us from telling the workers to end."""
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is signal.default_int_handler]

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        signal.default_int_handler(number, frame)

    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)


def _in_words(error: BaseException) -> str:
    if isinstance(error, BrokenProcessPool):
        return "a worker was killed again and again, perhaps for want of memory; fewer --workers need less"
    return str(error) or type(error).__name__


_stop: Event | None = None
"""In a worker: set when no further job is to be begun."""
_training = threading.Lock()
"""In a worker: held from the beginning of a job until its status is saved."""


def _begin_worker(stop: Event) -> None:
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an idle worker leaves Ctrl-C to the main process
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    """When the main process is killed, interrupt this worker and end it, so that the sweep can be started again."""
    main = multiprocessing.parent_process()
    if main is not None:
        main.join()
        if _stop is not None:
            _stop.set()
        os.kill(os.getpid(), signal.SIGINT)
        with _training:
            os._exit(1)  # it would wait for jobs for ever: the workers hold both ends of the pipe that they come from


def _work(job: Job) -> None:
    with _training:
        signal.signal(signal.SIGINT, _interrupt_once)
        try:
            if _stop is not None and not _stop.is_set():
                job.train()
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Ctrl-C reaches a worker from the terminal and from the main process; the second must not stop the saving."""
    signal.signal(number, signal.SIG_IGN)
    signal.default_int_handler(number, frame)
