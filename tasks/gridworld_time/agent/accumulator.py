"""The units that an accumulator can consist of: linear layers without bias, with different constraints on the weights.

Each maps ``(..., in) -> (..., out)`` and gives its effective weights, ``(out, in)``, as ``W``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from nalu import NAC, NAU
from nalu.functional import linear
from nalu.inspection import Weighted
from nalu.units.catalogue import constructor


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


class PerSeed(nn.Module):
    """Any unit, computed for each seed by ``vmap``, because it may not take stacked parameters itself.

    With the parameters of one seed it maps ``(..., in) -> (..., out)``, with those of S seeds
    ``(S, N, in) -> (S, N, out)``.
    """

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        self.unit = unit
        self._dimensions = {name: tensor.ndim for name, tensor in _tensors(unit).items()}

    @property
    def W(self) -> Tensor | None:
        """The main effective weights of the unit; None for a unit that does not give them."""
        return self.unit.effective_weights().get("") if isinstance(self.unit, Weighted) else None

    def forward(self, x: Tensor) -> Tensor:
        tensors = _tensors(self.unit)
        if all(tensor.ndim == self._dimensions[name] for name, tensor in tensors.items()):
            return self.unit(x)
        return vmap(lambda own, inputs: functional_call(self.unit, own, (inputs,)))(tensors, x)


def _tensors(unit: nn.Module) -> dict[str, Tensor]:
    return {**dict(unit.named_parameters()), **dict(unit.named_buffers())}


OWN: dict[str, Callable[[int, int], nn.Module]] = {
    "ternary": Ternary,
    "nac": NAC,
    "nau": NAU,
    "linear": Linear,
    "oracle": Oracle,
}
"""Units that take stacked parameters."""


def build_accumulator(unit: str, in_features: int, out_features: int) -> nn.Module:
    """The unit of an accumulator, ``(..., in) -> (..., out)``."""
    if unit in OWN:
        return OWN[unit](in_features, out_features)
    return PerSeed(constructor(unit, "truncated_normal")(in_features, out_features))
