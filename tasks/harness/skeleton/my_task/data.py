"""The data: the product of two numbers. Replace :func:`target` and the ranges by those of your problem."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

INPUTS = 2
"""Numbers in one example."""
TRAINING_RANGE = (1.0, 2.0)
EXTRAPOLATION_RANGE = (2.0, 6.0)


def target(x: Tensor) -> Tensor:
    """What the network must learn, ``(..., INPUTS) -> (..., 1)``."""
    return x.prod(dim=-1, keepdim=True)


def spread(u: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Numbers in [0, 1) as numbers in these bounds."""
    low, high = bounds
    return low + u * (high - low)


def evaluation_set(seed: int, size: int, bounds: tuple[float, float], device: torch.device) -> tuple[Tensor, Tensor]:
    """Inputs ``(size, INPUTS)`` and targets ``(size, 1)``, the same for all seeds of a run."""
    u = torch.from_numpy(np.random.RandomState(seed).uniform(size=(size, INPUTS)))
    x = spread(u, bounds).float()
    return x.to(device), target(x.double()).float().to(device)
