"""Several processes that train parts of one run's seeds at the same time."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self

import torch
from torch import nn

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, State, Train
from tasks.harness.errors import UserError

Part = tuple[Config, State | None]
"""What training is called with."""


class Processes:
    """This process, and as many others as make ``count``, all on one machine; they end with the ``with`` block.

    They share the processors: each keeps to its part of torch's threads, at least one.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._others: list[ProcessPoolExecutor] = []
        self._threads = torch.get_num_threads()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for other in self._others:
            # What they still do is of no use, and they keep nothing: all files are written here.
            for process in list((other._processes or {}).values()):  # kill_workers(), from Python 3.14 on
                process.kill()
            other.shutdown()
        self._others.clear()
        torch.set_num_threads(self._threads)

    def train(self, train: Train, parts: Sequence[Part]) -> Iterator[list[Snapshot]]:
        """Train all parts, each in one of the processes; yields their snapshots, in order, evaluation by evaluation.

        Models, pictures and files stay where they are trained: only the snapshots of this process have them, the first
        among them.

        Raises:
            UserError: when another process was killed.
        """
        count = min(self.count, len(parts))
        threads = max(self._threads // count, 1)
        torch.set_num_threads(threads)
        others = [self._begin(train, parts[k::count], threads) for k in range(1, count)]
        here = [train(*part) for part in parts[::count]]
        elsewhere = [other.submit(_advance) for other in others]
        while True:
            snapshots: list[Any] = [None] * len(parts)
            snapshots[::count] = [next(run, None) for run in here]
            for k, future in enumerate(elsewhere, start=1):
                snapshots[k::count] = _received(future)
            if all(snapshot is None for snapshot in snapshots):
                return
            elsewhere = [other.submit(_advance) for other in others]  # they go on while these are recorded
            yield snapshots

    def _begin(self, train: Train, parts: Sequence[Part], threads: int) -> ProcessPoolExecutor:
        configs, states = zip(*parts, strict=True)
        arguments = (train, configs, _to_bytes(states), threads)
        other = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, arguments)
        self._others.append(other)
        return other


def _received(future: Future[bytes]) -> list[Snapshot | None]:
    try:
        sent = _from_bytes(future.result())
    except BrokenProcessPool as error:
        why = "a process that trained some of the seeds was killed, perhaps for want of memory"
        raise UserError(f"{why}; fewer --processes need less, and --resume goes on") from error
    return [None if one is None else Snapshot(model=nn.Identity(), **one) for one in sent]


_runs: list[Iterator[Snapshot]] = []
"""In another process: the training of its parts."""


def _begin(train: Train, configs: Sequence[Config], states: bytes, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends this one
    threading.Thread(target=outlive_nobody, daemon=True).start()
    torch.set_num_threads(threads)
    _runs.extend(map(train, configs, _from_bytes(states)))


def outlive_nobody() -> None:
    """For a thread of another process: ends that when the main process has ended, however it was killed."""
    main = multiprocessing.parent_process()
    if main is not None:
        main.join()
        os._exit(1)


def _advance() -> bytes:
    """The next snapshots of this process, but what belongs to their models; None after the last."""
    return _to_bytes([_portable(next(run, None)) for run in _runs])


def _portable(snapshot: Snapshot | None) -> dict[str, Any] | None:
    if snapshot is None:
        return None
    return {name: getattr(snapshot, name) for name in ("step", "metrics", "state", "histograms")}


def _to_bytes(values: Any) -> bytes:
    # Not pickled as multiprocessing would: that shares memory, of which there may be little, and holds files open.
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


def _from_bytes(values: bytes) -> Any:
    return torch.load(io.BytesIO(values), weights_only=True)
