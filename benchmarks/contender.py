"""What is measured: a contender does its unit of work again and again, and says how long it took."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from typing import Any
from unittest.mock import patch

import torch

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, Task
from tasks.harness.streams import uniform
from tasks.harness.training.chunks import sizes
from tasks.harness.training.signals import exit_with_parent

OURS, OBVIOUS, FLOOR = "ours", "obvious loop", "floor"

Slice = Callable[[float], tuple[float, float]]
"""Works for at least so many seconds; returns the seconds it took and the units of work it did."""


@dataclass(frozen=True)
class Target:
    """At least so many times the speed of another contender; 0.5 is to take at most twice as long."""

    least: float
    against: str
    """Its name; the one with as many models, or the only one."""
    threads: int = 1
    """Where the target holds."""


@dataclass(frozen=True)
class Contender:
    """Something that does the work of a task."""

    setting: str
    """What is trained; only contenders of one setting are compared."""
    name: str
    models: int
    """Networks that are trained at once."""
    work: Slice
    unit: str = "model-step"
    targets: tuple[Target, ...] = field(default=())


def repeated(step: Callable[[], object], units: float = 1) -> Slice:
    """A step that does so many units of work."""

    def work(seconds: float) -> tuple[float, float]:
        done = 0
        started = time.perf_counter()
        while True:
            step()
            done += 1
            if (elapsed := time.perf_counter() - started) >= seconds:
                return elapsed, done * units

    return work


Units = Callable[[Snapshot, int], float]
"""Of work that so many seeds have done at a snapshot."""


def ours(
    setting: str,
    config: Config,
    units: Units,
    *,
    models: int | None = None,
    unit: str = "model-step",
    targets: tuple[Target, ...] = (),
    evaluation: Any = None,
) -> Iterator[Contender]:
    """The task's own training; where there are several processors, also in a process for each.

    Args:
        models: networks that are trained at once, by default one a seed.
        evaluation: as for :func:`training`.
    """
    models = config.seeds if models is None else models
    yield Contender(setting, OURS, models, training(config, units, evaluation), unit, targets)
    count = min(torch.get_num_threads(), config.seeds)
    if count > 1:
        name = f"{OURS}, {count} processes"
        yield Contender(setting, name, models, in_processes(count, config, units, evaluation), unit)


def training(config: Config, units: Units, evaluation: Any = None) -> Slice:
    """The task's own training loop, run as long as it should go on, on one processor, without its evaluations.

    Args:
        config: all but ``steps`` and ``device``, which are set here.
        units: of work that have been done at a snapshot.
        evaluation: stands for what the loop's ``evaluate`` would have returned; None: an empty dict.
    """
    task: Task = import_module(import_module(type(config).__module__).__package__ or "").TASK
    chunks = [
        _Chunk(replace(config, seeds=size), units, {} if evaluation is None else evaluation)
        for size in sizes(config.seeds, task.seed_chunk)
    ]

    def work(seconds: float) -> tuple[float, float]:
        done = [chunk.work(seconds / len(chunks)) for chunk in chunks]
        return sum(elapsed for elapsed, _ in done), sum(units for _, units in done)

    return work


def in_processes(count: int, config: Config, units: Units, evaluation: Any = None) -> Slice:
    """:func:`training` in several processes at the same time, each of its part of the seeds and on one thread."""
    here, *parts = (replace(config, seeds=size) for size in sizes(config.seeds, None, count))
    main = training(here, units, evaluation)
    others = [ProcessPoolExecutor(1, get_context("spawn"), _begin, (part, units, evaluation)) for part in parts]

    def work(seconds: float) -> tuple[float, float]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        elsewhere = [other.submit(_work, seconds) for other in others]
        done = [main(seconds), *(future.result() for future in elsewhere)]
        torch.set_num_threads(threads)
        # They work side by side, and each stops after the step in which its time is up.
        rate = sum(units / elapsed for elapsed, units in done)
        return sum(units for _, units in done) / rate, sum(units for _, units in done)

    return work


def per_step(units: float = 1) -> Units:
    """Counts so many units of work for every seed and step."""
    return partial(_per_step, units)


def _per_step(units: float, snapshot: Snapshot, seeds: int) -> float:
    return units * seeds * snapshot.step


class _Chunk:
    """Seeds that are trained at once, in slices of time."""

    def __init__(self, config: Config, units: Units, evaluation: Any) -> None:
        self._clock = _Clock()
        self._module = import_module(type(config).__module__)
        self._snapshots = self._module.train(_due_by(self._clock, config))
        self._units, self._seeds = units, config.seeds
        self._evaluation = evaluation
        self._done: float | None = None

    def work(self, seconds: float) -> tuple[float, float]:
        """As a Slice."""
        before = self._advance() if self._done is None else self._done
        self._clock.start(seconds)
        self._done = self._advance()
        return self._clock.elapsed, self._done - before

    def _advance(self) -> float:
        # create: one task has none
        with patch.object(self._module, "evaluate", lambda *_: self._evaluation, create=True):
            return self._units(next(self._snapshots), self._seeds)


def as_in_long_runs() -> None:
    """From now on draw random numbers as runs do that are long enough to compile for them."""
    uniform.MIN_COMPILED_NUMBERS = 0


_part: Slice
"""In another process: what it trains."""


def _begin(config: Config, units: Units, evaluation: Any) -> None:
    global _part
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the main process, which this one does not outlive
    exit_with_parent()
    torch.set_num_threads(1)
    as_in_long_runs()
    _part = training(config, units, evaluation)


def _work(seconds: float) -> tuple[float, float]:
    return _part(seconds)


class _Clock:
    """Says when it is time to evaluate, and how long training took until then, evaluation not included."""

    def start(self, seconds: float) -> None:
        self._seconds = seconds
        self._started = time.perf_counter()

    def due(self) -> bool:
        self.elapsed = time.perf_counter() - self._started
        return self.elapsed >= self._seconds


def _due_by(clock: _Clock, config: Config) -> Config:
    """The same options for a run without end that is evaluated when the clock says so."""

    class Timed(type(config)):  # type: ignore[misc]
        def evaluates_at(self, step: int) -> bool:
            return clock.due()

    given = {option.name: getattr(config, option.name) for option in fields(config)}
    return Timed(**{**given, "steps": 10**9, "device": "cpu"})
