"""Neural accumulator and its multiplicative sibling."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nalu import functional, init
from nalu.init import Init
from nalu.unit import WeightedUnit


class NAC(WeightedUnit):
    """Neural accumulator: ``y = W x`` with ``W = tanh(W_hat) * sigmoid(M_hat)`` (Trask et al. 2018, eq. 1).

    The entries of W are drawn to {-1, 0, 1}, so that the unit adds and subtracts its inputs without rescaling them.

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_hat`` and ``M_hat`` are ``(out_features, in_features)``.

    Args:
        init: see :mod:`nalu.init`.

    Raises:
        ValueError: for a number of features below 1 or an unknown ``init``.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        init: Init = "truncated_normal",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features)
        self.init = init
        self.W_hat = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.M_hat = nn.Parameter(torch.empty_like(self.W_hat))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.nac_weights_(self.W_hat, self.M_hat, self.init)

    @property
    def W(self) -> Tensor:
        """The effective weights, shape of ``W_hat``."""
        return functional.nac_weight(self.W_hat, self.M_hat)

    def snap_(self) -> None:
        """Move the weights to the nearest of -1, 0 and 1."""
        init.saturate_nac_(self.W_hat, self.M_hat, self.W.round())

    def forward(self, x: Tensor) -> Tensor:
        return functional.nac(x, self.W)


class NACMul(NAC):
    """The multiplicative path of the NALU alone: ``y = exp(W log(|x| + eps))`` (Trask et al. 2018, eq. 2).

    Called NAC-bullet by Madsen & Johansen. Products, quotients and powers of absolute values.
    """

    neutral = 1.0

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        init: Init = "truncated_normal",
        eps: float = functional.EPSILON,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, init=init, device=device, dtype=dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.nac_mul(x, self.W, self.eps)
