"""``python -m benchmarks.cuda_check``: every task trained on a GPU and on the CPU from the same seeds, and compared.

Both devices draw the same numbers (Philox). The runs are short, so that rounding, which differs between the devices,
has not yet grown. A checkpoint of either device is continued on the other. Two runs on the GPU should give the same
bits; where they do not, a sum of a kernel has no fixed order, which is reported and no fault.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tasks.harness.cli.main import guarded
from tasks.harness.cli.parsing import parse
from tasks.harness.config import has_gpu
from tasks.harness.contract import State, Task
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task, task_names
from tasks.harness.tables import Table, number
from tasks.harness.terminal.show import show

TOLERANCE = 1e-3
"""The largest relative difference of a metric; metrics below 1 are compared absolutely."""
STEPS = 24
"""More than one captured graph of several steps on both sides of the checkpoint."""

Metrics = list[dict[str, Tensor]]
"""The metrics of a run, on the CPU, at all of its evaluations."""


@dataclass(frozen=True)
class Comparison:
    """The result of one task."""

    task: str
    difference: float
    """The largest difference between the devices, and between a run and one that was continued on the other device."""
    metric: str
    """The metric that differs most."""
    repeats: bool
    """Whether a second run on the GPU gave the same bits."""

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference <= TOLERANCE


@dataclass(frozen=True)
class Options:
    """Compare training on a GPU with training on the CPU."""

    tasks: tuple[str, ...] = task_names()
    """The tasks."""

    def __call__(self) -> None:
        """Compare, print the table, and exit with status 1 if a task differs.

        Raises:
            UserError: without a GPU, or for an unknown task.
        """
        unknown = [name for name in self.tasks if name not in task_names()]
        if unknown:
            raise UserError(f"--tasks must be among {', '.join(task_names())}, got {', '.join(unknown)}")
        if not has_gpu():
            raise UserError("this check needs a GPU that torch can use, but there is none")
        found = [compare(load_task(name), "cuda") for name in self.tasks]
        show(table(found, torch.cuda.get_device_name()))
        if not all(comparison.passed for comparison in found):
            sys.exit(1)


def compare(task: Task, device: str) -> Comparison:
    """Train a task on a device and on the CPU."""
    expected, on_cpu = trained(task, "cpu")
    found, on_device = trained(task, device)
    resumed, _ = trained(task, "cpu", on_device)
    continued, _ = trained(task, device, on_cpu)
    again, _ = trained(task, device)
    pairs = [(found, expected), (resumed, expected[-1:]), (continued, expected[-1:])]
    difference, metric = max(largest_difference(one, other) for one, other in pairs)
    same = all(
        torch.equal(one[name].nan_to_num(), other[name].nan_to_num())
        for one, other in zip(found, again, strict=True)
        for name in one
    )
    return Comparison(task.name, difference, metric, same)


def trained(task: Task, device: str, saved: bytes | None = None) -> tuple[Metrics, bytes]:
    """The metrics of a short run at all evaluations, and its state after half of the steps."""
    options: dict[str, Any] = {"steps": STEPS, "eval_every": STEPS // 2, "generator": "philox", "device": device}
    config = replace(task.smoke, **options)
    state: State | None = None
    if saved is not None:
        state = torch.load(io.BytesIO(saved), map_location="cpu", weights_only=True)  # noqa: TID251 (our own bytes)
    metrics, file = [], io.BytesIO()
    for snapshot in task.train(config, state):
        metrics.append({name: values.detach().cpu().double() for name, values in snapshot.metrics.items()})
        if snapshot.step == STEPS // 2:
            torch.save(snapshot.state, file)
    return metrics, file.getvalue()


def largest_difference(found: Metrics, expected: Metrics) -> tuple[float, str]:
    """The largest difference of a metric, relative where it is above 1, and the metric's name."""
    differences = [
        (_difference(values, other[name]), name)
        for metrics, other in zip(found, expected, strict=True)
        for name, values in metrics.items()
    ]
    return max(differences)


def _difference(found: Tensor, expected: Tensor) -> float:
    """Infinite where only one of the two is finite."""
    differ = (found - expected).abs() / expected.abs().clamp(min=1)
    same = (found == expected) | (found.isnan() & expected.isnan())
    return float(torch.where(same, 0.0, differ.nan_to_num(torch.inf)).max())


def table(found: Sequence[Comparison], device: str) -> Table:
    """One row a task."""
    rows = [
        [
            comparison.task,
            number(comparison.difference),
            comparison.metric if comparison.difference else "–",
            "yes" if comparison.repeats else "no",
            "passed" if comparison.passed else "failed",
        ]
        for comparison in found
    ]
    notes = (
        f"difference: the largest of any metric between {device} and the CPU, after {STEPS} steps and after continuing "
        f"a checkpoint on the other device; at most {TOLERANCE:g}, relative where the metric is above 1.",
        "same bits again: whether a second run on the GPU gave equal metrics to the last bit.",
    )
    header = ("task", "difference", "largest of", "same bits again", "result")
    return Table("Training on the GPU beside the CPU", header, rows, notes)


if __name__ == "__main__":
    about = "Compare training on a GPU with training on the CPU."
    guarded(lambda: parse(Options, sys.argv[1:], "python -m benchmarks.cuda_check", about)())
