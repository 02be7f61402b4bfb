"""The baseline: what one would write for one seed in plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def adam_step(model: nn.Module, loss: Callable[[], Tensor], *, clip: float | None = None) -> Callable[[], None]:
    """A training step with Adam at its defaults, and with the gradient's norm clipped where the task does so."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        value = loss()
        optimizer.zero_grad()
        value.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()

    return step
