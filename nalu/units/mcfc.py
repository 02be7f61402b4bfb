"""Mass-conserving fully connected layers."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from nalu import functional, init
from nalu.units.base import ArithmeticUnit, WeightedUnit


@final
class MCFC(WeightedUnit):
    """Mass-conserving layer: ``y = sigmoid(b) * (softmax(R) x)`` (Hoedt et al. 2021).

    The softmax runs over the outputs: every input is distributed over them, and the gate decides what leaves. Sums of
    inputs, no differences; with one output, of all inputs.

    Shapes: ``(..., in_features) -> (..., out_features)``; ``R`` is ``(out_features, in_features)``; the logits of the
    gate are ``gate_weight + gate_bias``, both ``(out_features,)``: as published, a linear layer on a constant 1.

    Raises:
        ValueError: for a number of features below 1.
    """

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        self.R = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.gate_weight = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype))
        self.gate_bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        if self.in_features == self.out_features:
            nn.init.eye_(self.R)
        else:
            _orthogonal_(self.R)
        _orthogonal_(self.gate_weight.unsqueeze(-1))
        nn.init.zeros_(self.gate_bias)

    @property
    def out_gate(self) -> Tensor:
        """The logits of the gate, ``(out_features,)``."""
        return self.gate_weight + self.gate_bias

    @property
    def W(self) -> Tensor:
        """The effective weights, shape of ``R``."""
        return torch.sigmoid(self.out_gate).unsqueeze(-1) * torch.softmax(self.R, dim=-2)

    def effective_weights(self) -> dict[str, Tensor]:
        """The distribution of the inputs, and ``gate``, ``(1, out_features)``."""
        return {"": torch.softmax(self.R, dim=-2), "gate": torch.sigmoid(self.out_gate).unsqueeze(-2)}

    @torch.no_grad()
    def snap_(self) -> None:
        """Send each input to the output that has most of it, and open or shut the gate."""
        most = self.R.amax(dim=-2, keepdim=True) == self.R
        init.saturate_sigmoid_(self.R, torch.where(self.R.isnan(), self.R, most.to(self.R.dtype)))
        init.saturate_sigmoid_(self.gate_bias, torch.sigmoid(self.out_gate).round())
        self.gate_weight.zero_()

    def regularizer(self) -> Tensor:
        """Minus the mean squares of ``R``, ``gate_weight`` and ``gate_bias``: large logits are rewarded.

        A scalar; ``(S,)`` for stacked parameters.
        """
        gate = self.gate_weight.square().mean(dim=-1) + self.gate_bias.square().mean(dim=-1)
        return -(self.R.square().mean(dim=(-2, -1)) + gate)

    def forward(self, x: Tensor) -> Tensor:
        return functional.mcfc(self.checked(x), self.R, self.out_gate)


@final
class MulMCFC(ArithmeticUnit):
    """The multiplicative sibling: ``y = exp(mcfc(log(|x| + eps)) + bias)`` (Hoedt et al. 2021).

    Products of absolute values, where the paper has NaN for inputs that are not above 0; no quotients. Shapes and
    errors as :class:`MCFC`, which is a part of it; ``bias`` is ``(out_features,)``.
    """

    identity_element = 1.0

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        self.mcfc = MCFC(in_features, out_features, device=device, dtype=dtype)
        self.bias = nn.Parameter(torch.zeros(out_features, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        self.mcfc.reset_parameters()
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return functional.mul_mcfc(self.checked(x), self.mcfc.R, self.mcfc.out_gate, self.bias)


def _orthogonal_(parameter: Tensor) -> None:
    """Orthogonal initialisation, also in half precision, in which torch cannot decompose matrices."""
    full = torch.empty_like(parameter, dtype=torch.promote_types(parameter.dtype, torch.float32))
    parameter.copy_(nn.init.orthogonal_(full))
