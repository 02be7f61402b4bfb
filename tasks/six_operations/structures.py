"""The structures: two sums over the inputs, combined in a fixed form.

A structure is a small network, not a unit. Its first layer has two rows; its second layer is a weighted sum or a
product of powers. Validation or a learned gate chooses the structure that fits an operation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nalu import functional
from nalu.formula.text import product_of_powers, scaled, weighted_sum
from nalu.training.mean_split import with_mean
from nalu.units.base import check_features

HALF_WIDTH = 0.2
"""Initial first-layer weights differ from their common value by at most this."""
ROW_MEAN = 0.25
"""The fixed mean of the rows of powers; an arbitrary choice of scale."""


def in_large_entries(W: Tensor) -> Tensor:
    """Rows in units of their large entries: a row of 0 and one other number becomes one of 0 and 1."""
    large = W.abs() > W.abs().amax(dim=-1, keepdim=True) / 2
    return W * large.sum(dim=-1, keepdim=True) / (W.abs() * large).sum(dim=-1, keepdim=True)


class AdditiveStructure(nn.Module):
    """``y = V W x``: two linear layers without bias, which start at W near 1/2 and V = (1, 1).

    Shapes: ``(..., in_features) -> (..., 1)``; ``W`` is ``(2, in_features)``, ``V`` is ``(1, 2)``.

    Raises:
        ValueError: for a number of features below 1.
    """

    def __init__(self, in_features: int, *, device: Any = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.in_features, _ = check_features(in_features, 1)
        self.W = nn.Parameter(torch.empty(2, in_features, device=device, dtype=dtype))
        self.V = nn.Parameter(torch.empty(1, 2, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.W, 0.5 - HALF_WIDTH, 0.5 + HALF_WIDTH)
        nn.init.ones_(self.V)

    def effective_weights(self) -> dict[str, Tensor]:
        """Both layers. Training determines only their product; :meth:`snap_` decides how they share it."""
        return {"": self.W, "output": self.V}

    @torch.no_grad()
    def snap_(self) -> None:
        """Round the product of both layers to whole numbers: two rows of -1, 0 and 1, if these suffice."""
        whole = (self.V @ self.W).round()
        first = whole.clamp(-1, 1)
        self.W.copy_(torch.cat([first, whole - first], dim=-2))
        self.V.fill_(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.of_sums(functional.linear(x, self.W))

    def formula(self, names: Sequence[str]) -> list[str]:
        """The weighted sum of the inputs that both layers compute; see :mod:`nalu.formula`."""
        return [weighted_sum(row, names) for row in (self.V @ self.W).tolist()]

    def of_sums(self, h: Tensor) -> Tensor:
        """The second layer alone, ``(..., 2) -> (..., 1)``."""
        return functional.linear(h, self.V)


class PowerReadout(nn.Module):
    """``y = exp(scale + p log|h_1 / size| + q log|h_2 / size|)``, of two sums h; returns log y.

    The second layer of a :class:`PowerStructure`; see there. Shapes: ``(..., 2) -> (..., 1)``.
    """

    def __init__(
        self,
        exponents: tuple[float, float],
        *,
        size: float,
        learn_difference: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.exponents = exponents
        self.size = size
        self.half_sum = nn.Parameter(torch.empty(1, 1, device=device, dtype=dtype))
        self.half_difference = nn.Parameter(torch.empty_like(self.half_sum), requires_grad=learn_difference)
        self.scale = nn.Parameter(torch.empty_like(self.half_sum))
        self.reset_exponents()

    def reset_exponents(self) -> None:
        """Start at ``exponents``, with the scale that gives y = h_1^p h_2^q."""
        p, q = self.exponents
        nn.init.constant_(self.half_sum, (p + q) / 2)
        nn.init.constant_(self.half_difference, (p - q) / 2)
        nn.init.constant_(self.scale, (p + q) * math.log(self.size))

    @property
    def P(self) -> Tensor:
        """The exponents p and q, ``(1, 2)``."""
        return torch.cat([self.half_sum + self.half_difference, self.half_sum - self.half_difference], dim=-1)

    def of_sums(self, h: Tensor) -> Tensor:
        """The logarithm of the result, which is positive; ``(..., 2) -> (..., 1)``."""
        return functional.linear(functional.log_abs(h / self.size), self.P) + self.scale

    def forward(self, h: Tensor) -> Tensor:
        return self.of_sums(h)

    def formula_of(self, W: Tensor, names: Sequence[str]) -> str:
        """The result for ``h = W x``: a factor, and two powers of sums whose largest weights are near 1."""
        rows = in_large_entries(W)
        factors = W.abs().amax(dim=-1) / rows.abs().amax(dim=-1)  # of W against the rows
        logarithm = self.scale + self.P @ (factors / self.size).log().unsqueeze(-1)
        bases = [f"|{weighted_sum(row, names)}|" for row in rows.tolist()]
        return scaled(logarithm.exp().item(), product_of_powers(self.P.flatten().tolist(), bases))


class PowerStructure(PowerReadout):
    """``y = exp(scale + p log|h_1 / size| + q log|h_2 / size|)`` with ``h = W x``; returns log y.

    If the rows were free, their scale and the degree p + q would have nearly the same effect, because log h hardly
    varies around its mean. So each row has a fixed mean, ``W = D - mean(D) + row_mean`` with D for the parameter
    ``W_hat``; ``size`` is the typical sum of a row, and ``scale`` is learned. The scale is a gauge, not a bias: it
    could be folded into a row of W, and :meth:`snap_` sets it so that the rows could as well be of -1, 0 and 1.

    The exponents are learned as half their sum and half their difference. If they start at the answer, the difference
    should stay fixed: while the rows are still similar, unequal exponents can replace unequal rows, and the rows then
    never separate. If they start below the answer, the difference is free.

    Shapes: ``(..., in_features) -> (..., 1)``; ``W_hat`` is ``(2, in_features)``, ``half_sum``,
    ``half_difference`` and ``scale`` are ``(1, 1)``.

    Args:
        exponents: the initial p and q.
        learn_difference: whether p - q is learned, too.
        typical: the size of a typical input.
        row_mean: the mean of each row.

    Raises:
        ValueError: for a number of features below 1, or a typical input or row mean that is not positive.
    """

    def __init__(
        self,
        in_features: int,
        exponents: tuple[float, float] = (1.0, 1.0),
        *,
        learn_difference: bool = False,
        typical: float = 1.0,
        row_mean: float = ROW_MEAN,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        features, _ = check_features(in_features, 1)
        for name, value in (("typical", typical), ("row_mean", row_mean)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")
        size = in_features * row_mean * typical
        super().__init__(exponents, size=size, learn_difference=learn_difference, device=device, dtype=dtype)
        self.in_features = features
        self.row_mean = row_mean
        self.W_hat = nn.Parameter(torch.empty(2, in_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.W_hat, self.row_mean - HALF_WIDTH, self.row_mean + HALF_WIDTH)
        self.reset_exponents()

    @property
    def W(self) -> Tensor:
        """The rows, ``(2, in_features)``, with mean ``row_mean``."""
        return with_mean(self.W_hat, self.row_mean)

    def effective_weights(self) -> dict[str, Tensor]:
        """The rows in units of their large entries, as :meth:`snap_` rounds them, ``(2, in_features)``."""
        return {"": in_large_entries(self.W)}

    def formula(self, names: Sequence[str]) -> list[str]:
        """A product of powers of two sums, the result itself and not its logarithm; see :mod:`nalu.formula`."""
        return [self.formula_of(self.W, names)]

    @torch.no_grad()
    def snap_(self) -> None:
        """Round the rows to -1, 0 and 1 times a factor, which the scale undoes; round p + q and p - q to halves.

        A row whose rounded entries sum to 0 or less becomes NaN, because its mean cannot be positive.
        """
        rows = self.effective_weights()[""].round().clamp(-1, 1)
        means = rows.mean(dim=-1, keepdim=True)
        factors = self.row_mean / torch.where(means > 0, means, torch.nan)
        self.W_hat.copy_(factors * rows)
        for half in (self.half_sum, self.half_difference):
            half.copy_((4 * half).round() / 4)
        self.scale.copy_(self.P @ (self.size / factors).log())

    @torch.no_grad()
    def refit_(self, x: Tensor, log_y: Tensor) -> None:
        """For snapped rows, refit the exponents to examples by least squares, rounded to quarters.

        Rows that overshoot (entries beyond 0 and 1) and exponents that are too small compensate each other up to the
        third order. Snapping the rows alone leaves the exponents too small.

        Args:
            x: ``(N, in_features)``.
            log_y: logarithms of the targets, ``(..., N, 1)``.
        """
        logs = functional.log_abs(functional.linear(x, self.W) / self.size).double()
        logs, log_y = (values - values.mean(dim=-2, keepdim=True) for values in (logs, log_y.double()))
        # The pseudo-inverse splits the exponent if both rows are equal. NaN rows still give NaN, by the other factors.
        exponents = torch.linalg.pinv((logs.mT @ logs).nan_to_num(), rtol=1e-6, hermitian=True) @ logs.mT @ log_y
        p, q = ((4 * exponents).round() / 4).split(1, dim=-2)
        self.half_sum.copy_((p + q) / 2)
        self.half_difference.copy_((p - q) / 2)
        factors = self.W.abs().amax(dim=-1, keepdim=True)
        self.scale.copy_(self.P @ (self.size / factors).log())

    @torch.no_grad()
    def clip_(self) -> None:
        """Reset the mean of ``W_hat``, which would drift by rounding; the rows do not change."""
        self.W_hat.copy_(self.W)

    def forward(self, x: Tensor) -> Tensor:
        return self.of_sums(functional.linear(x, self.W))
