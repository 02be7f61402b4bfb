"""Improved neural arithmetic logic unit."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nalu import functional, init
from nalu.unit import WeightedUnit


class INALU(WeightedUnit):
    """Improved NALU: ``y = g * a + (1 - g) * m * s`` (Schlör et al. 2020), see :func:`nalu.functional.inalu`.

    Against the NALU: weights of its own for the product, a product with a sign and a bound of e^20, and a gate that
    does not depend on the input. Its authors also clip every entry of the gradient to [-0.1, 0.1], draw the parameters
    to saturation with :meth:`regularizer`, and begin runs that are stuck anew: :class:`nalu.Restart`.

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_hat``, ``M_hat``, ``W_hat_mul`` and ``M_hat_mul`` are
    ``(out_features, in_features)``, ``gate_bias`` is ``(out_features,)``.

    Args:
        eps: the smallest absolute value of an input inside the logarithm.

    Raises:
        ValueError: for a number of features below 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        eps: float = functional.EPSILON,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features)
        self.eps = eps

        def matrix() -> nn.Parameter:
            return nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))

        self.W_hat, self.M_hat, self.W_hat_mul, self.M_hat_mul = matrix(), matrix(), matrix(), matrix()
        self.gate_bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for W_hat, M_hat in ((self.W_hat, self.M_hat), (self.W_hat_mul, self.M_hat_mul)):
            nn.init.normal_(W_hat, 0.88, 0.2)
            nn.init.normal_(M_hat, 0.5, 0.2)
        nn.init.normal_(self.gate_bias, 0, 0.2)

    @property
    def W(self) -> Tensor:
        """The effective weights of the additive path, shape of ``W_hat``."""
        return functional.nac_weight(self.W_hat, self.M_hat)

    @property
    def W_mul(self) -> Tensor:
        """The effective weights of the multiplicative path, shape of ``W_hat``."""
        return functional.nac_weight(self.W_hat_mul, self.M_hat_mul)

    def effective_weights(self) -> dict[str, Tensor]:
        """W, and ``mul`` of the multiplicative path."""
        return {"": self.W, "mul": self.W_mul}

    def snap_(self) -> None:
        """Move the weights to the nearest of -1, 0 and 1; the gate stays."""
        init.saturate_nac_(self.W_hat, self.M_hat, self.W.round())
        init.saturate_nac_(self.W_hat_mul, self.M_hat_mul, self.W_mul.round())

    def gate_logits(self, x: Tensor) -> Tensor:
        """What the gate is the sigmoid of, ``(out_features,)`` whatever ``x`` is. Positive: additive."""
        return self.gate_bias

    def regularizer(self) -> Tensor:
        """Sum over the five parameters of mean(max(20 - |p|, 0)), a scalar; ``(S,)`` for stacked parameters."""
        matrices = torch.stack([self.W_hat, self.M_hat, self.W_hat_mul, self.M_hat_mul])
        missing = F.relu(init.SATURATED - matrices.abs()).mean(dim=(-2, -1)).sum(dim=0)
        return missing + F.relu(init.SATURATED - self.gate_bias.abs()).mean(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.inalu(x, self.W, self.W_mul, self.gate_bias, self.eps)
