"""Measurements of a task's candidates, in turn, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch

from benchmarks.candidate import BASELINE, FLOOR, Candidate, Device, Target
from tasks.harness.registry import task_names


@dataclass(frozen=True)
class Measurement:
    """The times of one candidate."""

    task: str
    setting: str
    name: str
    models: int
    threads: int
    unit: str
    targets: tuple[Target, ...]
    microseconds: tuple[float, ...]
    """For one unit of work, one entry a repetition."""

    @property
    def median(self) -> float:
        """Microseconds for one unit of work."""
        return float(np.median(self.microseconds))

    @property
    def noise(self) -> float:
        """The interquartile range of the repetitions, in parts of their median."""
        low, high = np.quantile(self.microseconds, (0.25, 0.75))
        return float(high - low) / self.median


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured."""

    target: Target
    measured: float
    """How many times as fast as the other."""

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.measured >= self.target.least


def tasks() -> tuple[str, ...]:
    """The tasks that have a benchmark: ``benchmarks/tasks/<task>.py``."""
    return tuple(name for name in task_names() if find_spec(f"benchmarks.tasks.{name}"))


def measure(
    task: str, seeds: Sequence[int], seconds: float, repetitions: int, device: Device = "cpu"
) -> list[Measurement]:
    """Measure all candidates of a task in turn, so that a drift of the machine meets all of them.

    A round before the measured ones warms up, and compiles. All rounds together take about ``seconds``, but every
    candidate does at least one step in each.
    """
    candidates = _candidates(task, seeds, device)
    part = seconds / len(candidates) / (repetitions + 1)
    rounds = [[candidate.work(part) for candidate in candidates] for _ in range(repetitions + 1)][1:]
    return [
        Measurement(
            task,
            candidate.setting,
            candidate.name,
            candidate.models,
            torch.get_num_threads(),
            candidate.unit,
            candidate.targets,
            tuple(1e6 * elapsed / units for elapsed, units in of_candidate),
        )
        for candidate, of_candidate in zip(candidates, zip(*rounds, strict=True), strict=True)
    ]


def _candidates(task: str, seeds: Sequence[int], device: Device) -> list[Candidate]:
    of_task: Iterable[Candidate] = import_module(f"benchmarks.tasks.{task}").candidates(seeds)
    if device == "cpu":
        return list(of_task)
    from benchmarks.gpu import on_gpu  # imports this module

    with torch.device("cuda"):
        return list(on_gpu(of_task))


def faster_than(measurement: Measurement, name: str, among: Sequence[Measurement]) -> float | None:
    """How many times as fast as the candidate of that name, with as many models, or else as the only one."""
    others = [
        other
        for other in among
        if (other.task, other.setting, other.threads, other.name)
        == (measurement.task, measurement.setting, measurement.threads, name)
    ]
    same = [other for other in others if other.models == measurement.models]
    chosen = same or (others if name != FLOOR else [])  # the floor of another number of models says nothing
    return chosen[0].median / measurement.median if len(chosen) == 1 else None


def verdicts(measurement: Measurement, among: Sequence[Measurement]) -> list[Verdict]:
    """Of the targets whose other candidate was measured."""
    return [
        Verdict(target, times)
        for target in measurement.targets
        if target.threads == measurement.threads
        and (times := faster_than(measurement, target.against, among)) is not None
    ]


def as_json(measurement: Measurement, among: Sequence[Measurement]) -> dict[str, object]:
    """The measurement with its comparisons, as JSON values."""
    floor = faster_than(measurement, FLOOR, among)
    return {
        "task": measurement.task,
        "setting": measurement.setting,
        "candidate": measurement.name,
        "models": measurement.models,
        "threads": measurement.threads,
        "unit": measurement.unit,
        "microseconds": measurement.median,
        "repetitions": list(measurement.microseconds),
        "noise": measurement.noise,
        "times_faster_than_baseline": faster_than(measurement, BASELINE, among),
        "times_the_floor": None if floor is None else 1 / floor,
        "targets": [
            {
                "against": verdict.target.against,
                "at_least": verdict.target.least,
                "measured": verdict.measured,
                "met": verdict.met,
            }
            for verdict in verdicts(measurement, among)
        ],
    }
