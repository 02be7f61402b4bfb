"""Training batches and evaluation sets of y = f(a, b), where a and b sum two subsets of one vector of inputs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nalu.training.steps import Step
from tasks.arithmetic.problem import EXTRAPOLATION_SEED, VALIDATION_SEED, Operation, Subsets, apply, spread
from tasks.harness.streams import Generator, uniform_stream


class SubsetSums:
    """Training batches, and the fixed evaluation sets that all seeds share.

    Args:
        op: the operation.
        subsets: sizes of the subsets.
        seeds: each has its own subsets and its own stream of batches.
        interpolation_range, extrapolation_range: of the inputs; see :func:`spread`.
    """

    def __init__(
        self,
        op: Operation,
        subsets: Subsets,
        seeds: range,
        *,
        interpolation_range: tuple[float, ...],
        extrapolation_range: tuple[float, ...],
        batch_size: int,
        eval_size: int,
        device: torch.device,
        generator: Generator = "sfc64",
    ) -> None:
        self._op: Operation = op
        self._range = interpolation_range
        self._device = device
        # The largest tensor first: a size that does not fit into memory fails at once.
        self._stream = uniform_stream(generator, seeds, (batch_size, subsets.inputs), device=device)
        self._masks = torch.stack([subsets.masks(seed) for seed in seeds]).to(device)
        self.validation = self._evaluation_set(VALIDATION_SEED, interpolation_range, eval_size)
        """Inputs ``(N, inputs)``, the same for all seeds, and their targets ``(S, N, 1)``."""
        self.extrapolation = self._evaluation_set(EXTRAPOLATION_SEED, extrapolation_range, eval_size)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs ``(S, B, inputs)`` and targets ``(S, B, 1)`` of a step."""
        return self.examples(self.draw(step))

    def draw(self, step: Step) -> Tensor:
        """What :meth:`examples` makes the batch of a step from."""
        return self._stream.draw(step)

    def examples(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """The batch of a step."""
        x = spread(self._stream.uniform(drawn), self._range)
        return x, self._targets(x, self._masks)

    def _targets(self, x: Tensor, masks: Tensor) -> Tensor:
        a, b = (masks @ x.mT).unbind(dim=-2)
        return apply(self._op, a, b).unsqueeze(-1)

    def _evaluation_set(self, seed: int, bounds: tuple[float, ...], size: int) -> tuple[Tensor, Tensor]:
        u = torch.from_numpy(np.random.RandomState(seed).uniform(size=(size, self._masks.shape[-1])))
        # Rounded before the targets are computed in float64, so that the set itself is exact.
        x = spread(u, bounds).float()
        targets = self._targets(x.double().to(self._device), self._masks.double())
        return x.to(self._device), targets.float()
