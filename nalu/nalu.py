"""Neural arithmetic logic unit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nalu import functional, init
from nalu.init import Init
from nalu.nac import check_features


class NALU(nn.Module):
    """Neural arithmetic logic unit: ``y = g * a + (1 - g) * m`` (Trask et al. 2018, eq. 2).

    ``a = W x`` is a NAC, ``m = exp(W log(|x| + eps))`` the same NAC in log space, ``g = sigmoid(G x)`` chooses between
    them. As in the paper, one W serves both paths and nothing has a bias; the options depart from it.

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_hat``, ``M_hat`` and ``G`` are
    ``(out_features, in_features)``, ``gate_bias`` is ``(out_features,)``.

    Args:
        separate_weights: give the multiplicative path weights of its own, ``W_hat_mul`` and ``M_hat_mul``.
        input_gate: ``False`` makes the gate independent of the input, ``g = sigmoid(gate_bias)``, without G.
        gate_bias: start value of a learned bias in the gate, ``g = sigmoid(G x + gate_bias)``; ``None`` for no bias
            (with ``input_gate=False``: a bias that starts at 0).
        eps: the constant inside the logarithm.
        init: see :mod:`nalu.init`.

    Raises:
        ValueError: for a number of features below 1 or an unknown ``init``.
    """

    neutral = 0.0
    """The state from which a recurrent use of the unit starts; 1 where it is to multiply."""

    G: nn.Parameter | None
    gate_bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        separate_weights: bool = False,
        input_gate: bool = True,
        gate_bias: float | None = None,
        eps: float = functional.EPSILON,
        init: Init = "truncated_normal",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = check_features(in_features, out_features)
        self.separate_weights = separate_weights
        self.eps = eps
        self.init = init
        self.gate_bias_start = 0.0 if gate_bias is None else gate_bias

        def matrix() -> nn.Parameter:
            return nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))

        self.W_hat, self.M_hat = matrix(), matrix()
        if separate_weights:
            self.W_hat_mul, self.M_hat_mul = matrix(), matrix()
        self.G = matrix() if input_gate else None
        has_bias = gate_bias is not None or not input_gate
        self.gate_bias = nn.Parameter(self.W_hat.new_empty(out_features)) if has_bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.nac_weights_(self.W_hat, self.M_hat, self.init)
        if self.separate_weights:
            init.nac_weights_(self.W_hat_mul, self.M_hat_mul, self.init)
        if self.G is not None:
            init.gate_(self.G, self.init)
        if self.gate_bias is not None:
            nn.init.constant_(self.gate_bias, self.gate_bias_start)

    @property
    def W(self) -> Tensor:
        """The effective weights of the additive path (of both paths when tied), shape of ``W_hat``."""
        return functional.nac_weight(self.W_hat, self.M_hat)

    @property
    def W_mul(self) -> Tensor:
        """The effective weights of the multiplicative path, shape of ``W_hat``."""
        return functional.nac_weight(self.W_hat_mul, self.M_hat_mul) if self.separate_weights else self.W

    def gate_logits(self, x: Tensor) -> Tensor:
        """What the gate is the sigmoid of; broadcasts to ``(..., out_features)``. Positive: additive."""
        if self.G is None:
            assert self.gate_bias is not None
            return self.gate_bias
        logits = functional.linear(x, self.G)
        return logits if self.gate_bias is None else logits + self.gate_bias

    def forward(self, x: Tensor) -> Tensor:
        W_mul = self.W_mul if self.separate_weights else None
        return functional.nalu(x, self.W, self.gate_logits(x), W_mul, self.eps)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"
