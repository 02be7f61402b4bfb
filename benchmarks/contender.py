"""What is measured: a contender does its unit of work again and again, and says how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import Any
from unittest.mock import patch

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot

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


def training(config: Config, units: Callable[[Snapshot], float], evaluation: Any = None) -> Slice:
    """The task's own training loop, run as long as it should go on, on one processor, without its evaluations.

    Args:
        config: all but ``steps`` and ``device``, which are set here.
        units: of work that have been done at a snapshot.
        evaluation: stands for what the loop's ``evaluate`` would have returned; None: an empty dict.
    """
    clock = _Clock()
    module = import_module(type(config).__module__)
    evaluation = {} if evaluation is None else evaluation
    snapshots = module.train(_due_by(clock, config))
    done: float | None = None

    def advance() -> float:
        with patch.object(module, "evaluate", lambda *_: evaluation, create=True):  # create: one task has none
            return units(next(snapshots))

    def work(seconds: float) -> tuple[float, float]:
        nonlocal done
        before = advance() if done is None else done
        clock.start(seconds)
        done = advance()
        return clock.elapsed, done - before

    return work


def per_step(units: float) -> Callable[[Snapshot], float]:
    """Counts so many units of work for every step."""
    return lambda snapshot: units * snapshot.step


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
        def due(self, step: int) -> bool:
            return clock.due()

    given = {option.name: getattr(config, option.name) for option in fields(config)}
    return Timed(**{**given, "steps": 10**9, "device": "cpu"})
