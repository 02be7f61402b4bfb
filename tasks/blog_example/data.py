"""The article's examples: ten numbers and their sum; the same for all seeds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

INPUTS = 10
FIRST_SUBSET = 4
"""a is the sum of the first 4 inputs, b the sum of the other 6, and y = a + b."""
TRAINING_LIMIT, TEST_LIMIT = 10.0, 100.0


def examples(seed: int, size: int, limit: float) -> tuple[Tensor, Tensor]:
    """Inputs ``(size, 10)`` uniform in [0, limit] and targets ``(size, 1)``, float32.

    The targets are summed in float64 from the rounded inputs, so that only their last rounding is inexact.
    """
    x = np.random.RandomState(seed).uniform(0, limit, size=(size, INPUTS)).astype(np.float32)
    a, b = (part.sum(axis=1, dtype=np.float64) for part in (x[:, :FIRST_SUBSET], x[:, FIRST_SUBSET:]))
    return torch.from_numpy(x), torch.from_numpy((a + b).astype(np.float32)).unsqueeze(-1)
