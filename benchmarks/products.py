"""The matrix products of a linear layer, of which the floors are made."""

from __future__ import annotations

import torch
from torch import Tensor


class Products:
    """Forward and backward products of S layers at once, on numbers that stay the same.

    Args:
        models: S.
        first: the layer sees the data, so that its inputs need no gradient.
    """

    def __init__(self, models: int, batch: int, inputs: int, outputs: int, *, first: bool = False) -> None:
        self.x = torch.rand(models, inputs, batch)  # positive: floors take the logarithm, too
        self._first = first
        self._W = torch.randn(models, outputs, inputs)
        self._gradient = torch.randn(models, outputs, batch)

    def forward(self, x: Tensor | None = None) -> Tensor:
        """Of inputs ``(S, in, B)``, by default random ones: ``(S, out, B)``."""
        return self._W @ (self.x if x is None else x)

    def backward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The gradients of the weights, and of the inputs unless they are data."""
        return self._gradient @ x.mT, None if self._first else self._W.mT @ self._gradient

    def __call__(self, x: Tensor | None = None) -> Tensor:
        """The same, and the products of the backward pass."""
        x = self.x if x is None else x
        self.backward(x)
        return self.forward(x)
