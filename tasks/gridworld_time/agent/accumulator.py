"""The units that an accumulator can consist of: linear layers without bias, with different constraints on the weights.

Each maps ``(..., in) -> (..., out)`` and gives its effective weights, ``(out, in)``, as ``W``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nalu import NAC, NAU
from nalu.functional import linear
from tasks.gridworld_time.design import Unit


class Ternary(nn.Module):
    """``y = round(W) x`` with W in [-1, 1], so that the weights are -1, 0 or 1; ``(..., in) -> (..., out)``.

    The gradient ignores the rounding (straight-through estimator).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.W_hat = nn.Parameter(torch.empty(out_features, in_features).uniform_(-1, 1))

    @property
    def W(self) -> Tensor:
        """The effective weights, ``(out, in)``."""
        clipped = self.W_hat.clamp(-1, 1)
        return clipped + (clipped.round() - clipped).detach()

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.W)


class Oracle(nn.Module):
    """Fixed weights: the first input minus the other inputs; ``(..., in) -> (..., out)``.

    From T at the first step and 1 at every later step, the accumulator computes T - t. It has no parameters.
    """

    W: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.register_buffer("W", torch.tensor([1.0] + [-1.0] * (in_features - 1)).repeat(out_features, 1))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.W)


class Linear(nn.Linear):
    """Unconstrained weights, as the control; ``(..., in) -> (..., out)``."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)

    @property
    def W(self) -> Tensor:
        """The weights, ``(out, in)``."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight)


UNITS: dict[Unit, Callable[[int, int], nn.Module]] = {
    "ternary": Ternary,
    "nac": NAC,
    "nau": NAU,
    "linear": Linear,
    "oracle": Oracle,
}
