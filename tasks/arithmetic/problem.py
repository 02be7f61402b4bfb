"""The arithmetic problems: six operations on the sums a and b of two fixed subsets of the inputs.

Protocol of Madsen & Johansen 2020 (arXiv:2001.05016, after Trask et al. 2018, section 4.1): the two subsets are
contiguous and overlap. Their offset among the inputs is random, one per seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

Operation = Literal["add", "sub", "mul", "div", "square", "root"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)

VALIDATION_SEED = 43953907
EXTRAPOLATION_SEED = 8689336
"""Seeds of the fixed evaluation sets, as published."""


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
        """The number of inputs from the first of a to the last of b."""
        return 2 * self.size - self.overlap

    def masks(self, seed: int) -> Tensor:
        """The inputs that a and b sum for this seed, ``(2, inputs)`` of zeros and ones."""
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
