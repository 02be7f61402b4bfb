"""Neural addition and multiplication units, and their descendants: clipped linear weights."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from nalu import functional, init
from nalu.units.base import ArithmeticUnit, ClippedUnit
from nalu.units.noise import NoiseSource


@final
class NAU(ClippedUnit):
    """Neural addition unit: ``y = W x`` with W clipped to [-1, 1] (Madsen & Johansen 2020, eq. 7 and 8).

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_hat`` is ``(out_features, in_features)``.

    Raises:
        ValueError: for a number of features below 1.
    """

    lower = -1.0
    _init = staticmethod(init.nau_)

    def forward(self, x: Tensor) -> Tensor:
        return functional.nau(self.checked(x), self.W_hat)


@final
class NMU(ClippedUnit):
    """Neural multiplication unit: ``y_o = prod_i (w_oi x_i + 1 - w_oi)``, w clipped to [0, 1] (ibid., eq. 9 and 10).

    Shapes and errors as :class:`NAU`. Products of any sign; no division.
    """

    lower = 0.0
    identity_element = 1.0
    _init = staticmethod(init.nmu_)

    def forward(self, x: Tensor) -> Tensor:
        return functional.nmu(self.checked(x), self.W_hat)


@final
class SNMU(ClippedUnit):
    """Stochastic NMU: in training, inputs are multiplied by noise and the output divided by the NMU of the noise.

    ``y = nmu(x * n) / nmu(n)`` with ``n ~ U(1, 5)`` for every element of x; in evaluation mode, and wherever weights
    are 0 or 1, the NMU itself (Mistry et al. 2022, arXiv:2211.05624). The noise is that of :mod:`nalu.noise`: the same
    in every forward pass until :func:`nalu.after_step_`.
    """

    lower = 0.0
    identity_element = 1.0
    _init = staticmethod(init.nmu_)

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features, device=device, dtype=dtype)
        self.noise = NoiseSource(device=device)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return functional.nmu(self.checked(x), self.W_hat)
        return functional.snmu(self.checked(x), self.W_hat, 1 + 4 * self.noise(x))


@final
class NMRU(ClippedUnit):
    """Neural multiplicative reciprocal unit: an NMU of ``[x, 1 / x]``, which also divides.

    Mistry et al. 2022, arXiv:2110.05177.

    Shapes and errors as :class:`NAU`, but ``W_hat`` is ``(out_features, 2 * in_features)``: factors, then divisors.

    Args:
        eps: of :func:`nalu.functional.reciprocal`.
    """

    lower = 0.0
    identity_element = 1.0
    columns = 2
    _init = staticmethod(init.nmu_)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        eps: float = functional.EPSILON,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, device=device, dtype=dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.nmru(self.checked(x), self.W_hat, self.eps)


@final
class NACMulNMU(ClippedUnit):
    """The multiplicative path of the NALU with the weights of an NMU: ``y = exp(W log(|x| + eps))``, W in [0, 1].

    Madsen & Johansen 2020, appendix (NAC-bullet,NMU). Shapes and errors as :class:`NAU`. Products of absolute values.
    """

    lower = 0.0
    identity_element = 1.0
    _init = staticmethod(init.nmu_)

    def forward(self, x: Tensor) -> Tensor:
        return functional.nac_mul(self.checked(x), self.W)


@final
class GatedNAUNMU(ArithmeticUnit):
    """The gate of the NALU between a NAU and an NMU: ``y = g * nau(x) + (1 - g) * nmu(x)``, ``g = sigmoid(G x)``.

    Madsen & Johansen 2020, appendix. Shapes and errors as :class:`NAU`; ``G`` is ``(out_features, in_features)``. Its
    weights are those of its parts, ``nau`` and ``nmu``.
    """

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        self.nau = NAU(in_features, out_features, device=device, dtype=dtype)
        self.nmu = NMU(in_features, out_features, device=device, dtype=dtype)
        self.G = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        nn.init.xavier_uniform_(self.G)

    def reset_parameters(self) -> None:
        self.nau.reset_parameters()
        self.nmu.reset_parameters()
        nn.init.xavier_uniform_(self.G)

    def gate_logits(self, x: Tensor) -> Tensor:
        """What the gate is the sigmoid of, ``(..., out_features)``. Positive: additive."""
        return functional.linear(x, self.G)

    def forward(self, x: Tensor) -> Tensor:
        return functional.gated_nau_nmu(self.checked(x), self.nau.W_hat, self.nmu.W_hat, self.gate_logits(x))
