"""Schedules in training steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nalu.training.steps import Step


class Scheduled:
    """A schedule that a training step reads at its number, which may be a tensor, see :mod:`nalu.training.steps`.

    Args:
        schedule: the value at every step.
        steps: the number of steps; a tensor must be below it.
    """

    def __init__(self, schedule: Callable[[int], float], steps: int, device: torch.device) -> None:
        self._schedule = schedule
        self._steps = steps
        self._device = device
        self._table: Tensor | None = None

    def __call__(self, step: Step) -> float | Tensor:
        """The value: a float at an int, a scalar float32 tensor at a tensor."""
        return self.tensor(step) if isinstance(step, Tensor) else self._schedule(step)

    def tensor(self, step: Step) -> Tensor:
        """The value as a scalar float32 tensor on the device."""
        if not isinstance(step, Tensor):
            return torch.tensor(self._schedule(step), device=self._device)
        if self._table is None:
            self._table = torch.tensor([self._schedule(step) for step in range(self._steps)], device=self._device)
        # Not table[step], which would read the step on the host.
        return self._table.gather(0, step.view(1)).squeeze(0)
