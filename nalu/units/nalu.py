"""Neural arithmetic logic units: a gate between a sum and a product."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nalu import functional, init
from nalu.init import Init
from nalu.units.base import WeightedUnit


class NALUBase(WeightedUnit):
    """A gate between the sum and the product of one NAC, or of two; abstract.

    A subclass says how weights are made of their two parameters.
    """

    _scale: ClassVar[float] = 1.0
    """What ``W_hat`` and ``M_hat`` are multiplied by in it."""

    @staticmethod
    @abstractmethod
    def _weight(W_hat: Tensor, M_hat: Tensor) -> Tensor:
        """``W`` from its two parameters."""

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
        super().__init__(in_features, out_features)
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
        return self._weight(self.W_hat, self.M_hat)

    @property
    def W_mul(self) -> Tensor:
        """The effective weights of the multiplicative path, shape of ``W_hat``."""
        return self._weight(self.W_hat_mul, self.M_hat_mul) if self.separate_weights else self.W

    def effective_weights(self) -> dict[str, Tensor]:
        """W, and ``mul`` for separate weights of the multiplicative path."""
        return {"": self.W, "mul": self.W_mul} if self.separate_weights else {"": self.W}

    def snap_(self) -> None:
        """Move the weights to the nearest of -1, 0 and 1; the gate stays."""
        init.saturate_nac_(self.W_hat, self.M_hat, self.W.round(), self._scale)
        if self.separate_weights:
            init.saturate_nac_(self.W_hat_mul, self.M_hat_mul, self.W_mul.round(), self._scale)

    def gate_logits(self, x: Tensor) -> Tensor:
        """What the gate is the sigmoid of; broadcasts to ``(..., out_features)``. Positive: additive."""
        if self.G is None:
            assert self.gate_bias is not None
            return self.gate_bias
        logits = functional.linear(x, self.G)
        return logits if self.gate_bias is None else logits + self.gate_bias

    def forward(self, x: Tensor) -> Tensor:
        W_mul = self.W_mul if self.separate_weights else None
        return functional.nalu(self.checked(x), self.W, self.gate_logits(x), W_mul, self.eps)


@final
class NALU(NALUBase):
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

    @staticmethod
    def _weight(W_hat: Tensor, M_hat: Tensor) -> Tensor:
        return functional.nac_weight(W_hat, M_hat)


@final
class GNALU(NALUBase):
    """NALU with the golden ratio in the place of e in all its functions (Mistry et al. 2022, arXiv:2101.09530).

    ``W = tanh_phi(W_hat) * sigmoid_phi(M_hat)`` and ``g = sigmoid_phi(G x)``, which saturate more slowly; the product
    phi^(W log_phi(|x| + eps)) is that of the NALU. Shapes, ``init`` and errors as :class:`NALU`.
    """

    _scale = functional.LOG_GOLDEN_RATIO

    @staticmethod
    def _weight(W_hat: Tensor, M_hat: Tensor) -> Tensor:
        return functional.golden_nac_weight(W_hat, M_hat)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        eps: float = functional.EPSILON,
        init: Init = "truncated_normal",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, eps=eps, init=init, device=device, dtype=dtype)

    def gate_logits(self, x: Tensor) -> Tensor:
        """What the gate is the (usual) sigmoid of, ``(..., out_features)``. Positive: additive."""
        return functional.LOG_GOLDEN_RATIO * super().gate_logits(x)


@final
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
        return functional.inalu(self.checked(x), self.W, self.W_mul, self.gate_bias, self.eps)
