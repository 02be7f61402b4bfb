"""Inputs of nine ranges and their targets y = a op b, where a and b are the first two inputs.

Protocol of Mistry et al. 2022 (arXiv:2101.09530), single module arithmetic task.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nalu.training.steps import Step
from nalu.units.catalogue import BinaryOperation
from tasks.arithmetic.problem import EXTRAPOLATION_SEED, VALIDATION_SEED, apply, spread
from tasks.harness.streams import Generator, uniform_stream
from tasks.single_module.ranges import Range

BLOCK = 8
"""Batches that sfc64 draws at a time; this takes half as long as one by one."""


class Data:
    """Training batches, and the fixed evaluation sets that all seeds share.

    Members are ordered by range, then seed. All ranges of a seed use the same uniform numbers, as in the published
    code, where every range is a separate run with the same seed.

    Args:
        op: the operation.
        ranges: R of them.
        seeds: S of them, one per stream.
        inputs: the number of inputs; all but the first two are irrelevant.
    """

    def __init__(
        self,
        op: BinaryOperation,
        ranges: Sequence[Range],
        seeds: range,
        *,
        inputs: int,
        batch_size: int,
        eval_size: int,
        device: torch.device,
        generator: Generator = "sfc64",
    ) -> None:
        self._op: BinaryOperation = op
        self._device = device
        self._stream = uniform_stream(generator, seeds, (inputs, batch_size), device=device, block=BLOCK)
        bounds = torch.tensor([bounds.train for bounds in ranges], device=device)
        self._low, high = bounds.view(-1, 2, 1, 1, 1).unbind(dim=1)
        self._width = high - self._low
        self.validation = self._evaluation_sets(VALIDATION_SEED, [bounds.train for bounds in ranges], eval_size, inputs)
        """Inputs ``(R, N, inputs)``, the same for all seeds, and their targets ``(R, N, 1)``."""
        self.extrapolation = self._evaluation_sets(
            EXTRAPOLATION_SEED, [bounds.test for bounds in ranges], eval_size, inputs
        )

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs ``(R S, B, inputs)`` and targets ``(R S, B, 1)`` of a step."""
        return self.examples(self.draw(step))

    def draw(self, step: Step) -> Tensor:
        """What :meth:`examples` makes the batch of a step from."""
        return self._stream.draw(step)

    def examples(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """The batch of a step."""
        x = torch.addcmul(self._low, self._stream.uniform(drawn), self._width).flatten(0, 1)
        x = x.mT  # examples adjacent in memory: faster products with few inputs
        return x, self._targets(x)

    def _targets(self, x: Tensor) -> Tensor:
        return apply(self._op, x[..., :1], x[..., 1:2])

    def _evaluation_sets(
        self, seed: int, ranges: Sequence[tuple[float, ...]], size: int, inputs: int
    ) -> tuple[Tensor, Tensor]:
        u = torch.from_numpy(np.random.RandomState(seed).uniform(size=(size, inputs)))
        # Rounded before the targets are computed in float64, so that the sets themselves are exact.
        x = torch.stack([spread(u, bounds) for bounds in ranges]).float()
        return x.to(self._device), self._targets(x.double()).float().to(self._device)
