"""Neural accumulators: sums, and products in log space, with weights drawn to -1, 0 and 1."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor, nn

from nalu import functional, init
from nalu.init import Init
from nalu.units.base import WeightedUnit
from nalu.units.noise import NoiseSource


class TanhSigmoidUnit(WeightedUnit):
    """A unit with weights ``W = tanh(W_hat) * sigmoid(M_hat)`` (Trask et al. 2018, eq. 1); abstract."""

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


@final
class NAC(TanhSigmoidUnit):
    """Neural accumulator: ``y = W x`` with ``W = tanh(W_hat) * sigmoid(M_hat)`` (Trask et al. 2018, eq. 1).

    The entries of W are drawn to {-1, 0, 1}, so that the unit adds and subtracts its inputs without rescaling them.

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_hat`` and ``M_hat`` are ``(out_features, in_features)``.

    Args:
        init: see :mod:`nalu.init`.

    Raises:
        ValueError: for a number of features below 1 or an unknown ``init``.
    """

    def forward(self, x: Tensor) -> Tensor:
        return functional.nac(self.checked(x), self.W)


@final
class NACMul(TanhSigmoidUnit):
    """The multiplicative path of the NALU alone: ``y = exp(W log(|x| + eps))`` (Trask et al. 2018, eq. 2).

    Called NAC-bullet by Madsen & Johansen. Products, quotients and powers of absolute values. Shapes, ``init`` and
    errors as :class:`NAC`.
    """

    identity_element = 1.0

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
        return functional.nac_mul(self.checked(x), self.W, self.eps)


@final
class NACMulSigma(WeightedUnit):
    """The multiplicative path of the NALU with weights in (0, 1): ``y = exp(sigmoid(W_hat) log(|x| + eps))``.

    Products of absolute values, no quotients (Madsen & Johansen 2020, appendix: NAC-bullet,sigma).

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_hat`` is ``(out_features, in_features)``.

    Raises:
        ValueError: for a number of features below 1.
    """

    identity_element = 1.0

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        self.W_hat = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.xavier_normal_(self.W_hat)

    @property
    def W(self) -> Tensor:
        """The effective weights, shape of ``W_hat``."""
        return torch.sigmoid(self.W_hat)

    def snap_(self) -> None:
        """Move the weights to the nearest of 0 and 1."""
        init.saturate_sigmoid_(self.W_hat, self.W.round())

    def forward(self, x: Tensor) -> Tensor:
        return functional.nac_mul(self.checked(x), self.W)


class ExpectedWeightUnit(WeightedUnit):
    """A unit whose weights are expectations: ``W = softmax([W_plus, W_minus, 0]) . (1, -1, 0)``; abstract.

    (Madsen & Johansen 2020, appendix.)
    """

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        self.W_plus = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.W_minus = nn.Parameter(torch.empty_like(self.W_plus))
        self.reset_parameters()

    @property
    def W(self) -> Tensor:
        """The effective weights, shape of ``W_plus``."""
        return functional.softmax_weight(self.W_plus, self.W_minus)

    def snap_(self) -> None:
        """Move the weights to the nearest of -1, 0 and 1."""
        nearest = self.W.round()
        init.saturate_sigmoid_(self.W_plus, nearest.clamp(min=0))
        init.saturate_sigmoid_(self.W_minus, (-nearest).clamp(min=0))


@final
class SoftmaxNAC(ExpectedWeightUnit):
    """A NAC whose weights are expectations: ``W = softmax([W_plus, W_minus, 0]) . (1, -1, 0)``.

    Sums and differences (Madsen & Johansen 2020, appendix).

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_plus`` and ``W_minus`` are
    ``(out_features, in_features)``, the logits of the weights 1 and -1 against 0.

    Raises:
        ValueError: for a number of features below 1.
    """

    def reset_parameters(self) -> None:
        for logits in (self.W_plus, self.W_minus):
            nn.init.xavier_uniform_(logits, gain=math.sqrt(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return functional.nac(self.checked(x), self.W)


@final
class GumbelNAC(ExpectedWeightUnit):
    """A NAC that draws its weights from 1, -1 and 0 in training, softly: with Gumbel noise in the softmax.

    ``W = softmax((log softmax([W_plus, W_minus, 0]) + n) / tau) . (1, -1, 0)`` with the temperature
    ``tau = max(1/2, exp(-1e-5 t))`` of training step t; in evaluation mode the expectation, as :class:`SoftmaxNAC`
    (Madsen & Johansen 2020, appendix). The noise is that of :mod:`nalu.noise`: the same in every forward pass, for all
    examples, until :func:`nalu.after_step_`, which also counts t.
    """

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features, device=device, dtype=dtype)
        self.noise = NoiseSource(device=device)

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.W_plus)
        nn.init.zeros_(self.W_minus)

    @property
    def temperature(self) -> Tensor:
        """The temperature of the present training step."""
        return torch.exp(-1e-5 * self.noise.step.to(self.W_plus.dtype)).clamp(min=0.5)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return functional.nac(self.checked(x), self.W)
        uniform = self.noise(self.W_plus.new_empty(3, *self.W_plus.shape))
        W = functional.gumbel_softmax_weight(self.W_plus, self.W_minus, uniform, self.temperature)
        return functional.nac(self.checked(x), W)
