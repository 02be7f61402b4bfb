"""Neural power units."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from nalu import functional
from nalu.units.base import WeightedUnit


class PowerUnit(WeightedUnit):
    """Products of powers of the inputs, each with a relevance; abstract. A subclass says whether powers are complex."""

    identity_element = 1.0
    eps = torch.finfo(torch.float32).eps
    """The constant inside the logarithm."""
    has_imaginary: ClassVar[bool]

    def __init__(
        self, in_features: int, out_features: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        self.W_re = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.W_im = nn.Parameter(torch.empty_like(self.W_re)) if self.has_imaginary else None
        self.g = nn.Parameter(torch.empty(in_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.W_re)
        if self.W_im is not None:
            nn.init.zeros_(self.W_im)
        nn.init.constant_(self.g, 0.5)

    @property
    def W(self) -> Tensor:
        """The real exponents, shape of ``W_re``."""
        return self.W_re

    def effective_weights(self) -> dict[str, Tensor]:
        """The exponents (``im`` the imaginary ones), and ``relevance``, ``(1, in_features)``."""
        imaginary = {} if self.W_im is None else {"im": self.W_im}
        return {"": self.W_re, **imaginary, "relevance": self.g.clamp(0, 1).unsqueeze(-2)}

    @torch.no_grad()
    def snap_(self) -> None:
        """Move the exponents to the nearest of -1, 0 and 1, the relevance to that of 0 and 1."""
        for parameter, lowest in ((self.W_re, -1), (self.W_im, -1), (self.g, 0)):
            if parameter is not None:
                parameter.copy_(parameter.clamp(lowest, 1).round())

    @torch.no_grad()
    def clip_(self) -> None:
        """Project the relevance into [0, 1]; see :func:`nalu.after_step_`."""
        self.g.clamp_(0, 1)

    @torch.no_grad()
    def project_gradient_(self) -> None:
        """Drop what would lead the relevance out of [0, 1]; see :func:`nalu.project_gradients_`."""
        functional.project_gradient_(self.g, 0.0, 1.0)

    def regularizer(self) -> Tensor:
        """Sum of the absolute values of all parameters, a scalar; ``(S,)`` for stacked parameters."""
        matrices: list[Tensor] = [self.W_re] if self.W_im is None else [self.W_re, self.W_im]
        return torch.stack(matrices).abs().sum(dim=(0, -2, -1)) + self.g.abs().sum(dim=-1)


@final
class RealNPU(PowerUnit):
    """Real neural power unit: ``y = exp(W_re log r) * cos(W_re k)`` (Heim et al. 2020).

    Products, quotients and powers, with signs; see :func:`nalu.functional.npu`. The relevance ``g`` of each input turns
    those that do not matter into factors of 1. It is clipped to [0, 1]; where the authors let its gradient pass the
    clip, :meth:`clip_` projects it, so that it cannot be lost outside.

    Shapes: ``(..., in_features) -> (..., out_features)``; ``W_re`` is ``(out_features, in_features)``, ``g`` is
    ``(in_features,)``.

    Raises:
        ValueError: for a number of features below 1.
    """

    has_imaginary = False

    def forward(self, x: Tensor) -> Tensor:
        return functional.npu(self.checked(x), self.W_re, None, self.g, self.eps)


@final
class NPU(PowerUnit):
    """Neural power unit: the real part of a product of complex powers (Heim et al. 2020).

    As :class:`RealNPU`, with imaginary exponents ``W_im``, which start at 0.
    """

    has_imaginary = True

    def forward(self, x: Tensor) -> Tensor:
        return functional.npu(self.checked(x), self.W_re, self.W_im, self.g, self.eps)
