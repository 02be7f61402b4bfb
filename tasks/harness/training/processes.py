"""Train parts of one run's seeds at the same time, in several processes."""

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
"""The arguments of a training function."""


class Processes:
    """``count`` processes on this machine, including this one. The others end with the ``with`` block.

    Each process uses ``threads`` torch threads; None leaves this process as it is. The ``with`` block restores the
    number of threads of this process.
    """

    def __init__(self, count: int = 1, threads: int | None = None) -> None:
        self.count = count
        self._others: list[_Other] = []
        self._before = torch.get_num_threads()
        self._threads = threads or self._before

    def __enter__(self) -> Self:
        torch.set_num_threads(self._threads)
        return self

    def __exit__(self, *error: object) -> None:
        for other in self._others:
            other.end()
        self._others.clear()
        torch.set_num_threads(self._before)

    def train(self, train: Train, parts: Sequence[Part]) -> Iterator[list[Snapshot]]:
        """Train each part in one of the processes; at every evaluation, yield the snapshots of all parts, in order.

        Models, figures and files stay in the process that trains them: only snapshots of this process have them, for
        example the first one.

        Raises:
            UserError: when another process was killed.
        """
        count = min(self.count, len(parts))
        self._others += [_Other(train, parts[k::count], self._threads) for k in range(1, count)]
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
    """Another process. It continues training while its last snapshots wait to be received."""

    def __init__(self, train: Train, parts: Sequence[Part], threads: int) -> None:
        # Each process has its own pipe, and no other process holds the writing end. So the reader notices when the
        # process is killed, even in the middle of a message. (A ProcessPoolExecutor may wait forever for the rest.)
        context = multiprocessing.get_context("spawn")
        self._received, sent = context.Pipe(duplex=False)
        configs, states = zip(*parts, strict=True)
        arguments = (sent, train, configs, _to_bytes(states), threads)
        self._process = context.Process(target=_train, args=arguments)
        self._process.start()
        sent.close()

    def receive(self) -> list[Snapshot | None]:
        """The next snapshots of its parts, without models, figures and files; None after the last."""
        try:
            received = self._received.recv()
        except (EOFError, OSError) as error:  # between two messages, and in the middle of one
            why = "a process that trained some of the seeds was killed (out of memory?)"
            raise UserError(f"{why}; try fewer --processes, and continue with --resume") from error
        if isinstance(received, BaseException):
            raise received
        return [None if one is None else Snapshot(model=nn.Identity(), **one) for one in _from_bytes(received)]

    def end(self) -> None:
        """Kill the process: its remaining work is not needed, and it writes no files."""
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
    # multiprocessing would send tensors in shared memory, which may be scarce, and keep files open.
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


def _from_bytes(values: bytes) -> Any:
    return torch.load(io.BytesIO(values), weights_only=True)  # noqa: TID251 (weights only, from our own process)
