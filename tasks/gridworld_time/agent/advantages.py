"""Advantage estimates, and means over the running episodes."""

from __future__ import annotations

import torch
from torch import Tensor


def advantages(rewards: Tensor, values: Tensor, active: Tensor, gae_lambda: float) -> Tensor:
    """Generalised advantage estimates without discount (Schulman et al. 2016); all tensors are ``(time, S, N)``.

    All episodes end within the batch, so the last value is not bootstrapped. After the end of an episode, the
    advantage is 0.
    """
    values = torch.where(active, values, 0.0)
    result = torch.empty_like(values)
    next_advantage = next_value = torch.zeros_like(values[0])
    for time in reversed(range(len(values))):
        next_advantage = rewards[time] + next_value - values[time] + gae_lambda * next_advantage
        next_advantage = torch.where(active[time], next_advantage, 0.0)
        next_value = values[time]
        result[time] = next_advantage
    return result


def mean(values: Tensor, active: Tensor) -> Tensor:
    """Mean over the rows of active episodes, ``(S, rows) -> (S,)``."""
    return torch.where(active, values, 0.0).sum(dim=1) / active.sum(dim=1)
