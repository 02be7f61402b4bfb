"""The numbers to copy: integers from -5 to 5 in training, tenths from -20 to 20 in the test."""

from __future__ import annotations

import torch
from torch import Tensor

TRAINING_LIMIT = 5
TEST_LIMIT = 20
PER_INTEGER = 10
"""Test points from one integer to the next."""


def training_inputs(device: torch.device) -> Tensor:
    """The integers of the training range, ``(11, 1)``; they are their own targets."""
    return torch.arange(-TRAINING_LIMIT, TRAINING_LIMIT + 1.0, device=device).unsqueeze(-1)


def test_inputs(device: torch.device) -> Tensor:
    """The points of the test range in ascending order, ``(401, 1)``."""
    numbers = torch.arange(-TEST_LIMIT * PER_INTEGER, TEST_LIMIT * PER_INTEGER + 1, device=device)
    return numbers.unsqueeze(-1) / PER_INTEGER
