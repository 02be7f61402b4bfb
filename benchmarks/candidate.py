"""What is measured: a candidate does its unit of work again and again, and says how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import partial
from multiprocessing import get_context
from typing import Literal

import torch

from nalu.training.steps import STEPS_PER_GRAPH
from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, Task
from tasks.harness.registry import load_task
from tasks.harness.streams import uniform
from tasks.harness.training.chunks import sizes
from tasks.harness.training.signals import exit_with_parent, ignore_interrupts

Device = Literal["cpu", "cuda"]
STEPS_PER_WAIT = 8 * STEPS_PER_GRAPH
"""Steps between two looks of a GPUClock, each of which waits for the GPU."""
OURS, BASELINE, FLOOR = "ours", "baseline", "floor"

Units = Callable[[Snapshot, int], float]
"""The units of work that so many seeds have done at a snapshot."""
TimedWork = Callable[[float], tuple[float, float]]
"""Works for at least so many seconds; returns the seconds it took and the units of work it did."""


@dataclass(frozen=True)
class Target:
    """At least so many times the speed of another candidate; 0.5 is to take at most twice as long."""

    least: float
    against: str
    """Its name; the one with as many models, or the only one."""
    threads: int = 1
    """Where the target holds."""


@dataclass(frozen=True)
class Candidate:
    """Something that does the work of a task."""

    setting: str
    """What is trained; only candidates of one setting are compared."""
    name: str
    models: int
    """Networks that are trained at once."""
    work: TimedWork
    unit: str = "model-step"
    targets: tuple[Target, ...] = field(default=())
    config: Config | None = None
    """The options of the task's own training; None for other work."""
    units: Units | None = None
    """The units of work that so many seeds of it have done at a snapshot."""


def repeated(step: Callable[[], object], units: float = 1) -> TimedWork:
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


def ours(
    setting: str,
    config: Config,
    units: Units,
    *,
    models: int | None = None,
    unit: str = "model-step",
    targets: tuple[Target, ...] = (),
) -> Iterator[Candidate]:
    """The task's own training; where there are several processors, also in a process for each.

    Args:
        models: networks that are trained at once, by default one a seed.
    """
    models = config.seeds if models is None else models
    yield Candidate(setting, OURS, models, training(config, units), unit, targets, config, units)
    count = min(torch.get_num_threads(), config.seeds)
    if count > 1:
        name = f"{OURS}, {count} processes"
        yield Candidate(setting, name, models, in_processes(count, config, units), unit)


def training(config: Config, units: Units, device: Device = "cpu") -> TimedWork:
    """The task's own training loop, run for as long as it is told to, on one processor or on the GPU.

    Its evaluations are not timed: the clock stops when the loop asks whether to evaluate. They should be small.

    Args:
        config: all but ``steps`` and ``device``, which are set here.
        units: of work that have been done at a snapshot.
    """
    task = task_of(config)
    most = task.seed_chunk if device == "cpu" else None
    chunks = [_Chunk(task, replace(config, seeds=size), units, device) for size in sizes(config.seeds, most)]

    def work(seconds: float) -> tuple[float, float]:
        done = [chunk.work(seconds / len(chunks)) for chunk in chunks]
        return sum(elapsed for elapsed, _ in done), sum(units for _, units in done)

    return work


def in_processes(count: int, config: Config, units: Units) -> TimedWork:
    """:func:`training` in several processes at the same time, each of its part of the seeds and on one thread."""
    here, *parts = (replace(config, seeds=size) for size in sizes(config.seeds, None, count))
    main = training(here, units)
    others = [ProcessPoolExecutor(1, get_context("spawn"), _begin, (part, units)) for part in parts]

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

    def __init__(self, task: Task, config: Config, units: Units, device: Device) -> None:
        self._clock = Clock() if device == "cpu" else GPUClock()
        self._snapshots = task.train(timed(self._clock, config, device))
        self._units, self._seeds = units, config.seeds
        self._done: float | None = None

    def work(self, seconds: float) -> tuple[float, float]:
        """As a TimedWork."""
        before = self._advance() if self._done is None else self._done
        self._clock.start(seconds)
        self._done = self._advance()
        return self._clock.elapsed, self._done - before

    def _advance(self) -> float:
        return self._units(next(self._snapshots), self._seeds)


def as_in_long_runs() -> None:
    """From now on draw random numbers as runs do that are long enough to compile for them."""
    uniform.MIN_COMPILED_NUMBERS = 0


_part: TimedWork
"""In another process: what it trains."""


def _begin(config: Config, units: Units) -> None:
    global _part
    ignore_interrupts()  # they are for the main process, which this one does not outlive
    exit_with_parent()
    torch.set_num_threads(1)
    as_in_long_runs()
    _part = training(config, units)


def _work(seconds: float) -> tuple[float, float]:
    return _part(seconds)


class Clock:
    """Says when it is time to evaluate, and how long training took until then, evaluation not included."""

    def start(self, seconds: float) -> None:
        """Let training go on for at least so long."""
        self._seconds = seconds
        self._started = time.perf_counter()

    def is_due(self) -> bool:
        """Whether the time is up; asked after every step."""
        self.stopped = time.perf_counter()
        return self.elapsed >= self._seconds

    @property
    def elapsed(self) -> float:
        """Seconds from the start to the last step."""
        return self.stopped - self._started


class GPUClock(Clock):
    """A clock for training steps that the GPU does later than the host asks for them.

    Now and then it waits for the GPU. Steps that are asked about but not yet started (see ``nalu.training_steps``) are
    counted as done: fewer than STEPS_PER_GRAPH of thousands.
    """

    def start(self, seconds: float) -> None:
        """Let training go on for at least so long, when the GPU has done what came before."""
        torch.cuda.synchronize()
        self._asked = 0
        super().start(seconds)

    def is_due(self) -> bool:
        """Whether the time is up; asked after every step."""
        self._asked += 1
        if self._asked % STEPS_PER_WAIT:
            return False
        torch.cuda.synchronize()
        return super().is_due()


def timed(clock: Clock, config: Config, device: Device = "cpu") -> Config:
    """The same options for a run without end that is evaluated when the clock says so.

    A training loop asks :meth:`tasks.harness.config.Config.evaluates_at` once after every step.
    """

    class Timed(type(config)):  # type: ignore[misc]
        def evaluates_at(self, step: int) -> bool:
            return clock.is_due()

    given = {option.name: getattr(config, option.name) for option in fields(config)}
    return Timed(**{**given, "steps": 10**9, "device": device})


def task_of(config: Config) -> Task:
    """The task whose options these are."""
    return load_task(type(config).__module__.split(".")[1])
