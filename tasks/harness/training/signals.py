"""All handling of signals, and of the end of a parent process.

Ctrl-C and SIGTERM stop a run between two writes and are never lost. A child process never outlives its parent.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

INTERRUPTING = (signal.SIGINT, signal.SIGTERM)


def interrupt_on_sigterm() -> None:
    """Treat SIGTERM as Ctrl-C, even if a shell started this process in the background, where SIGINT is ignored."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the main process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def allow_interrupts() -> None:
    """Let SIGINT raise KeyboardInterrupt, whatever handler was inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt(process: int) -> None:
    """Send Ctrl-C to a process."""
    os.kill(process, signal.SIGINT)


class DeferredSignals:
    """A context in which SIGINT and SIGTERM are handled as before, except inside :meth:`deferred`.

    A handler raises KeyboardInterrupt in whatever code is running. TensorBoard may then wait forever for a lock. And
    saving a checkpoint calls ``copyreg``, which swallows the interrupt in a bare ``except: pass``.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._received: int | None = None
        self._deferring = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python allows no other thread to set handlers
            for number in INTERRUPTING:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._handle:  # the previous handler may itself have set another one
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A block that is not interrupted: signals take effect at its end, even one whose exception was lost before."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._received is not None:
            self._before[self._received](self._received, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        if not self._deferring:
            self._before[number](number, frame)


@contextmanager
def only_the_first_interrupt() -> Iterator[None]:
    """A block in which the first Ctrl-C interrupts; later ones are ignored, so that cleanup can finish."""
    numbers = [number for number in INTERRUPTING if signal.getsignal(number) is signal.default_int_handler]

    def handle(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        signal.default_int_handler(number, frame)

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)


@contextmanager
def interruptible_once() -> Iterator[None]:
    """A block in a worker that otherwise ignores Ctrl-C: the first one interrupts the block, later ones are ignored.

    A worker gets Ctrl-C from the terminal and from the main process; the second one must not interrupt saving.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        ignore_interrupts()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        ignore_interrupts()


@contextmanager
def keep_sigterm() -> Iterator[None]:
    """A block after which SIGTERM is handled as before; some libraries install their own handler."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_with_parent(before_exit: Callable[[], None] = lambda: None) -> None:
    """End this process when its parent process ends, even if the parent is killed.

    Args:
        before_exit: called first, in a thread.
    """
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            before_exit()
            os._exit(1)  # a worker would wait forever for its next task: it holds both ends of that pipe

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def silence_writer_threads() -> Iterator[None]:
    """Print no traceback of an OSError in a library's writer thread: the caller gets the same error, too."""
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if not isinstance(arguments.exc_value, OSError):
            before(arguments)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
