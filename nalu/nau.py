"""Neural addition and multiplication units: clipped linear weights in place of saturating ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nalu import functional, init
from nalu.nac import check_features


class _ClippedUnit(nn.Module):
    """A unit of one weight matrix that is projected to ``[lower, 1]`` after every optimiser step."""

    lower: ClassVar[float]
    neutral: ClassVar[float]
    _init: ClassVar[Callable[[Tensor], None]]

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = check_features(in_features, out_features)
        self.W_hat = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        type(self)._init(self.W_hat)

    @property
    def W(self) -> Tensor:
        """The effective (clipped) weights, ``(out_features, in_features)``."""
        return self.W_hat.clamp(self.lower, 1)

    @torch.no_grad()
    def clip_(self) -> None:
        """Project the weights into their range; see :func:`clip_weights_`."""
        self.W_hat.clamp_(self.lower, 1)

    def sparsity_penalty(self) -> Tensor:
        """Mean distance of the weights to {-1, 0, 1}, a scalar; ``(S,)`` for stacked weights."""
        return functional.sparsity(self.W).mean(dim=(-2, -1))

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


class NAU(_ClippedUnit):
    """Neural addition unit: ``y = W x`` with W clipped to [-1, 1] (Madsen & Johansen 2020, eq. 7 and 8).

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_hat`` is ``(out_features, in_features)``.

    Raises:
        ValueError: for a number of features below 1.
    """

    lower = -1.0
    neutral = 0.0
    _init = staticmethod(init.nau_)

    def forward(self, x: Tensor) -> Tensor:
        return functional.nau(x, self.W_hat)


class NMU(_ClippedUnit):
    """Neural multiplication unit: ``y_o = prod_i (w_oi x_i + 1 - w_oi)``, w clipped to [0, 1] (ibid., eq. 9 and 10).

    Shapes and errors as :class:`NAU`. Products of any sign; no division.
    """

    lower = 0.0
    neutral = 1.0
    _init = staticmethod(init.nmu_)

    def forward(self, x: Tensor) -> Tensor:
        return functional.nmu(x, self.W_hat)


def clip_weights_(model: nn.Module) -> None:
    """Project every clipped unit in ``model`` (single or :class:`nalu.Ensemble`) into its weight range, in place.

    To be called after every optimiser step.
    """
    for module in model.modules():
        if isinstance(module, _ClippedUnit):
            module.clip_()


def sparsity_penalty(model: nn.Module) -> Tensor:
    """Sum over the clipped units of ``model`` of their mean distance to {-1, 0, 1}: a scalar, ``(S,)`` for an Ensemble.

    Zero for a model without such units.
    """
    penalties = [module.sparsity_penalty() for module in model.modules() if isinstance(module, _ClippedUnit)]
    return torch.stack(penalties).sum(dim=0) if penalties else torch.zeros(())
