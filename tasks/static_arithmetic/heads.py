"""Three heads for one problem, of which validation chooses one: `--cell heads`.

Not a unit that learns its operation, but a search over three structures, each trained by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nalu import functional, inspection
from nalu.heads import AdditiveHead, PowerHead
from tasks.static_arithmetic.data import spread
from tasks.static_arithmetic.loss import centred_loss, squared_error

HEADS = ("sum", "product", "quotient")
Exponents = Literal["given", "learned"]
NEUTRAL = 0.3
"""Where learned exponents start: not at the answer of any operation, and below that of most."""
BIAS_WEIGHT = 0.001
LOSS_SCALE = 1e4
"""Lifts the gradients of small relative errors above the constant in Adam's denominator; Adam ignores it else."""


class Heads(nn.Module):
    """V W x, h1^p h2^q from p = q, and the same from p = -q; ``(..., inputs) -> (..., 3)``.

    The last two are given as logarithms.

    Args:
        exponents: ``given``: p starts at 1, and p - q stays what it is; ``learned``: p starts at 0.3, nothing is fixed.
        typical: what the powers take for the size of an input, see :class:`nalu.heads.PowerHead`.
    """

    def __init__(self, inputs: int, exponents: Exponents, typical: float) -> None:
        super().__init__()
        self.sum = AdditiveHead(inputs)
        p = 1.0 if exponents == "given" else NEUTRAL
        build = partial(PowerHead, inputs, learn_difference=exponents == "learned", typical=typical)
        self.product, self.quotient = build((p, p)), build((p, -p))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.sum(x), self.product(x), self.quotient(x)], dim=-1)


def typical_size(interpolation_range: tuple[float, ...]) -> float:
    """The mean absolute value of inputs from a range."""
    return spread(torch.linspace(0, 1, 1001)[:-1], interpolation_range).abs().mean().item()


def loss(outputs: Tensor, target: Tensor) -> Tensor:
    """The summed losses of the heads, ``(S, B, 3), (S, B, 1) -> (S,)``; each head learns from its own alone.

    The squared error in units of the targets' variance, and :func:`~tasks.static_arithmetic.loss.centred_loss` of the
    logarithms: a wrong scale is the same error for every example, and would drown those that the rows have to learn.
    """
    total = squared_error(outputs[..., :1], target) / target.var(dim=(1, 2))
    log_target = functional.log_abs(target)
    for power in outputs[..., 1:].split(1, dim=-1):
        total = total + centred_loss(power, log_target, BIAS_WEIGHT)
    return LOSS_SCALE * total


def losses(outputs: Tensor, target: Tensor) -> Tensor:
    """Each head's centred loss in parts of the variance of its targets (their logarithms), ``(S, B, 3) -> (S, 3)``."""
    log_target = functional.log_abs(target)
    parts = []
    for output, wanted in zip(outputs.split(1, dim=-1), (target, log_target, log_target), strict=True):
        parts.append(centred_loss(output, wanted, BIAS_WEIGHT) / wanted.var(dim=(1, 2)))
    return torch.stack(parts, dim=-1)


def errors(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of each head on inputs that all seeds share, ``(S, 3)``; inf where it is not finite."""
    outputs = model(x)
    values = torch.cat([outputs[..., :1], outputs[..., 1:].exp()], dim=-1)
    return (values - y).square().mean(dim=1).nan_to_num(torch.inf, posinf=torch.inf)


@torch.no_grad()
def evaluate(
    model: Heads, validation: tuple[Tensor, Tensor], extrapolation: tuple[Tensor, Tensor], only: Tensor | None = None
) -> dict[str, Tensor]:
    """Errors ``(S,)`` of the candidate of lowest validation error.

    Candidates are the heads as trained, with their weights snapped, and with exponents fitted anew to snapped rows.

    Args:
        model: of stacked parameters.
        only: which head of each seed may be a candidate, ``(S,)``; by default all.
    """
    snapped = inspection.snapped(model)
    refitted = copy.deepcopy(snapped)
    for head in (refitted.product, refitted.quotient):
        head.refit_(validation[0], functional.log_abs(validation[1]))
    models = (model, snapped, refitted)
    inner, outer = (torch.cat([errors(m, *data) for m in models], dim=1) for data in (validation, extrapolation))
    if only is not None:
        number = torch.arange(inner.shape[1], device=inner.device) % len(HEADS)
        inner = torch.where(number == only.unsqueeze(1), inner, torch.inf)
    chosen = inner.argmin(dim=1, keepdim=True)
    trained = inner[:, : len(HEADS)].argmin(dim=1, keepdim=True)
    sparsity = torch.stack([_sparsity(m, name) for m in models for name in HEADS], dim=1)

    def of(values: Tensor, choice: Tensor) -> Tensor:
        return values.gather(1, choice).squeeze(1)

    return {
        "interpolation/error": of(inner, chosen),
        "extrapolation/error": of(outer, chosen),
        "weights/sparsity": of(sparsity, chosen),
        "unsnapped/interpolation": of(inner, trained),
        "unsnapped/extrapolation": of(outer, trained),
        "chosen/head": (chosen.squeeze(1) % len(HEADS)).float(),
        "chosen/snapped": (chosen.squeeze(1) >= len(HEADS)).float(),
    }


def _sparsity(model: nn.Module, head: str) -> Tensor:
    return functional.sparsity(inspection.effective_weights(model)[head]).amax(dim=(-2, -1))
