"""Ctrl-C and kill stop a run between two of its writes, and are never lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupts:
    """As a context: handles SIGINT and SIGTERM as they were handled before, but for what :meth:`held` says.

    A handler raises KeyboardInterrupt in whatever code happens to run. That of TensorBoard may then wait for ever for a
    lock; and ``copyreg``, which saving a checkpoint calls, has a bare ``except: pass``, after which nothing stops.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._came: int | None = None
        self._holds = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other has a say in signals
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._handle:  # the handler before may itself have chosen another
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block in which none comes: it comes at the end, as does one whose exception was lost before."""
        self._holds = True
        try:
            yield
        finally:
            self._holds = False
        if self._came is not None:
            self._before[self._came](self._came, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        if not self._holds:
            self._before[number](number, frame)
