"""What all arithmetic units have in common. The classes here are abstract; those of units are final."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nalu import functional


class ArithmeticUnit(nn.Module, ABC):
    """A layer of two sizes: ``(..., in_features) -> (..., out_features)``; abstract.

    Raises:
        ValueError: for a number of features below 1.
    """

    identity_element = 0.0
    """The state from which a recurrent use of the unit starts: 0 for sums, 1 for products."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = check_features(in_features, out_features)

    @abstractmethod
    def reset_parameters(self) -> None:
        """Initialise the parameters anew, as published."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...

    def checked(self, x: Tensor) -> Tensor:
        """The input of :meth:`forward` itself.

        Raises:
            RuntimeError: for inputs of another width, or of integers, as from ``nn.Linear``.
        """
        return check_input(x, self.in_features)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


class WeightedUnit(ArithmeticUnit):
    """A unit with effective weights of its own, which are to become -1, 0 or 1; abstract.

    ``effective_weights()`` and ``snap_()`` are what :mod:`nalu.inspection` asks for.
    """

    @property
    @abstractmethod
    def W(self) -> Tensor:
        """The main effective weights."""

    @abstractmethod
    def snap_(self) -> None:
        """Set the parameters to the nearest weights of -1, 0 and 1."""

    def effective_weights(self) -> dict[str, Tensor]:
        """The effective weights by the name of the part (``""`` for the main one), each a matrix.

        Parameters that are stacked over seeds give stacked weights.
        """
        return {"": self.W}

    def sparsity_penalty(self) -> Tensor:
        """Mean distance of the main weights to {-1, 0, 1}, a scalar; ``(S,)`` for stacked weights."""
        return functional.sparsity(self.W).mean(dim=(-2, -1))


def check_features(in_features: int, out_features: int) -> tuple[int, int]:
    """The two sizes of a layer, or a ValueError that names the wrong one."""
    for name, value in (("in_features", in_features), ("out_features", out_features)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    return in_features, out_features


def check_input(x: Tensor, features: int, name: str = "in_features") -> Tensor:
    """The input itself, or a RuntimeError, as from ``nn.Linear``, if its width or its dtype is wrong."""
    if x.ndim == 0 or x.shape[-1] != features:
        raise RuntimeError(f"the last dimension of the input must be {name} = {features}, got shape {tuple(x.shape)}")
    if not x.is_floating_point():
        raise RuntimeError(f"the input must be of a floating-point dtype, got {x.dtype}")
    return x


class ClippedUnit(WeightedUnit):
    """A unit of one weight matrix that is projected to ``[lower, 1]`` after every optimiser step; abstract.

    A subclass gives the bound, the initialisation and ``forward``.
    """

    lower: ClassVar[float]
    columns: ClassVar[int] = 1
    """Weights of each input."""
    _init: ClassVar[staticmethod[[Tensor], None]]

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        self.W_hat = nn.Parameter(torch.empty(out_features, self.columns * in_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        type(self)._init(self.W_hat)

    @property
    def W(self) -> Tensor:
        """The effective (clipped) weights, shape of ``W_hat``."""
        return functional.clip(self.W_hat, self.lower, 1.0)

    @torch.no_grad()
    def snap_(self) -> None:
        """Move the weights to the nearest of -1, 0 and 1."""
        self.W_hat.copy_(self.W.round())

    @torch.no_grad()
    def clip_(self) -> None:
        """Project the weights into their range; see :func:`nalu.after_step_`.

        Raises:
            RuntimeError: when ``W_hat`` is no parameter, because the weights are parametrised.
        """
        if "W_hat" not in self._parameters:
            raise RuntimeError(f"{type(self).__name__} cannot clip W_hat, which is parametrised and no parameter")
        self.W_hat.clamp_(self.lower, 1.0)

    @torch.no_grad()
    def project_gradient_(self) -> None:
        """Drop what would lead out of the range; see :func:`nalu.project_gradients_`."""
        functional.project_gradient_(self.W_hat, self.lower, 1.0)

    def regularizer(self) -> Tensor:
        """What the paper adds to the loss: :meth:`sparsity_penalty`."""
        return self.sparsity_penalty()
