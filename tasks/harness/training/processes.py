"""Several processes that train parts of one run's seeds at the same time."""

from __future__ import annotations

import io
import multiprocessing
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Self

import torch
from torch import nn

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, State, Train
from tasks.harness.errors import UserError
from tasks.harness.training.signals import exit_with_parent, ignore_interrupts

Part = tuple[Config, State | None]
"""What training is called with."""


class Processes:
    """This process, and as many others as make ``count``, all on one machine; they end with the ``with`` block.

    They share the processors: each keeps to its part of torch's threads, at least one.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._others: list[_Other] = []
        self._threads = torch.get_num_threads()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for other in self._others:
            other.end()
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
        self._others += [_Other(train, parts[k::count], threads) for k in range(1, count)]
        here = [train(*part) for part in parts[::count]]
        while True:
            snapshots: list[Any] = [None] * len(parts)
            snapshots[::count] = [next(run, None) for run in here]
            for k, other in enumerate(self._others, start=1):
                snapshots[k::count] = other.receive()
            if all(snapshot is None for snapshot in snapshots):
                return
            yield snapshots


class _Other:
    """Another process. It goes on training while its last snapshots wait here."""

    def __init__(self, train: Train, parts: Sequence[Part], threads: int) -> None:
        # A pipe of its own, the other end of which nobody else has: who reads it is told when the process is killed,
        # in the middle of a message, too. (A ProcessPoolExecutor may wait for the rest for ever.)
        context = multiprocessing.get_context("spawn")
        self._received, sent = context.Pipe(duplex=False)
        configs, states = zip(*parts, strict=True)
        arguments = (sent, train, configs, _to_bytes(states), threads)
        self._process = context.Process(target=_train, args=arguments)
        self._process.start()
        sent.close()

    def receive(self) -> list[Snapshot | None]:
        """The next snapshots of its parts, without what belongs to their models; None after the last."""
        try:
            received = self._received.recv()
        except (EOFError, OSError) as error:  # between two messages, and in the middle of one
            why = "a process that trained some of the seeds was killed (out of memory?)"
            raise UserError(f"{why}; try fewer --processes, and continue with --resume") from error
        if isinstance(received, BaseException):
            raise received
        return [None if one is None else Snapshot(model=nn.Identity(), **one) for one in _from_bytes(received)]

    def end(self) -> None:
        """Kill it: what it still does is of no use, and it keeps nothing, since all files are written here."""
        self._process.kill()
        self._process.join()
        self._received.close()


def _train(sent: Connection, train: Train, configs: Sequence[Config], states: bytes, threads: int) -> None:
    ignore_interrupts()  # the main process ends this one
    exit_with_parent()
    torch.set_num_threads(threads)
    try:
        runs = list(map(train, configs, _from_bytes(states)))
        snapshots: list[Snapshot | None] = []
        while not snapshots or any(snapshots):
            snapshots = [next(run, None) for run in runs]
            sent.send(_to_bytes(list(map(_portable, snapshots))))
    except Exception as error:
        error.add_note(f"in another process:\n{traceback.format_exc()}")
        sent.send(error)


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
    return torch.load(io.BytesIO(values), weights_only=True)  # noqa: TID251 (weights only, from our own process)
