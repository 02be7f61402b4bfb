"""Inputs and targets: sums a and b of two fixed subsets of the inputs, and y = f(a, b).

Protocol of Madsen & Johansen 2020 (arXiv:2001.05016, after Trask et al. 2018, section 4.1): the subsets are
contiguous and overlap, and lie at a random offset that belongs to the seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from tasks.harness.streams import UniformStream

Operation = Literal["add", "sub", "mul", "div", "square", "root"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)

VALIDATION_SEED = 43953907
EXTRAPOLATION_SEED = 8689336


def apply(op: Operation, a: Tensor, b: Tensor) -> Tensor:
    """y = f(a, b), elementwise."""
    match op:
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "div":
            return a / b
        case "square":
            return a * a
        case "root":
            return a.sqrt()


@dataclass(frozen=True)
class Subsets:
    """Sizes of the two subsets among ``inputs`` inputs."""

    inputs: int
    size: int
    overlap: int

    @property
    def span(self) -> int:
        """Inputs from the first of a to the last of b."""
        return 2 * self.size - self.overlap

    def masks(self, seed: int) -> Tensor:
        """Which inputs a and b sum for this seed, ``(2, inputs)`` of zeros and ones."""
        offset = np.random.RandomState(seed).randint(0, self.inputs - self.span + 1)
        masks = torch.zeros(2, self.inputs)
        masks[0, offset : offset + self.size] = 1
        masks[1, offset + self.size - self.overlap : offset + self.span] = 1
        return masks


def spread(u: Tensor, bounds: tuple[float, ...]) -> Tensor:
    """Map U[0, 1) to a uniform range: ``(low, high)``, or two intervals ``(low, high, low, high)``."""
    if len(bounds) == 2:
        low, high = bounds
        return u * (high - low) + low
    low, high, low_2, high_2 = bounds
    return torch.where(u < 0.5, low + 2 * u * (high - low), low_2 + (2 * u - 1) * (high_2 - low_2))


class Data:
    """Training batches, and the fixed evaluation sets that all seeds share.

    Args:
        op: the operation.
        subsets: sizes of the subsets.
        seeds: one a stream.
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
    ) -> None:
        self._op: Operation = op
        self._range = interpolation_range
        self._device = device
        self._stream = UniformStream(seeds, (batch_size, subsets.inputs))  # the largest first: too large fails at once
        self._masks = torch.stack([subsets.masks(seed) for seed in seeds]).to(device)
        self.validation = self._evaluation_set(VALIDATION_SEED, interpolation_range, eval_size)
        """Inputs ``(N, inputs)``, the same for all seeds, and their targets ``(S, N, 1)``."""
        self.extrapolation = self._evaluation_set(EXTRAPOLATION_SEED, extrapolation_range, eval_size)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs ``(S, B, inputs)`` and targets ``(S, B, 1)`` of a step."""
        return self.examples(self.uniform(step))

    def uniform(self, step: int) -> Tensor:
        """The numbers from [0, 1) of which a step's batch is made, ``(S, B, inputs)``."""
        return self._stream.batch(step).to(self._device)

    def examples(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """What :meth:`batch` makes of the step's :meth:`uniform` numbers."""
        x = spread(u, self._range)
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
