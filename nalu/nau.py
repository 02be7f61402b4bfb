"""Neural addition and multiplication units: clipped linear weights in place of saturating ones."""

from __future__ import annotations

from torch import Tensor

from nalu import functional, init
from nalu.clipped import ClippedUnit


class NAU(ClippedUnit):
    """Neural addition unit: ``y = W x`` with W clipped to [-1, 1] (Madsen & Johansen 2020, eq. 7 and 8).

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_hat`` is ``(out_features, in_features)``.

    Raises:
        ValueError: for a number of features below 1.
    """

    lower = -1.0
    _init = staticmethod(init.nau_)

    def forward(self, x: Tensor) -> Tensor:
        return functional.nau(x, self.W_hat)


class NMU(ClippedUnit):
    """Neural multiplication unit: ``y_o = prod_i (w_oi x_i + 1 - w_oi)``, w clipped to [0, 1] (ibid., eq. 9 and 10).

    Shapes and errors as :class:`NAU`. Products of any sign; no division.
    """

    lower = 0.0
    neutral = 1.0
    _init = staticmethod(init.nmu_)

    def forward(self, x: Tensor) -> Tensor:
        return functional.nmu(x, self.W_hat)
