"""Three networks for one problem, one per structure; validation chooses one of them: ``--networks three``.

This is a search over three separately trained structures, not a unit that learns its operation.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nalu import functional, inspection
from tasks.arithmetic.loss import centred_loss, squared_error
from tasks.arithmetic.problem import spread
from tasks.six_operations.structures import AdditiveStructure, PowerStructure

STRUCTURES = ("sum", "product", "quotient")
Exponents = Literal["given", "learned"]
LEARNED_START = 0.3
"""Initial value of learned exponents: the answer of no operation, and below the answer of most."""
BIAS_WEIGHT = 0.001
LOSS_SCALE = 1e4
"""Lifts gradients of small relative errors above the epsilon of Adam, which otherwise ignores the scale of a loss."""


class ThreeNetworks(nn.Module):
    """V W x, and h1^p h2^q twice: starting at p = q and at p = -q; ``(..., inputs) -> (..., 3)``.

    The last two outputs are logarithms.

    Args:
        exponents: ``given``: p starts at 1, and p - q keeps its value; ``learned``: p starts at 0.3, and nothing is
            fixed.
        typical: the size of a typical input, see :class:`~tasks.six_operations.structures.PowerStructure`.
    """

    def __init__(self, inputs: int, exponents: Exponents, typical: float) -> None:
        super().__init__()
        self.sum = AdditiveStructure(inputs)
        p = 1.0 if exponents == "given" else LEARNED_START
        build = partial(PowerStructure, inputs, learn_difference=exponents == "learned", typical=typical)
        self.product, self.quotient = build((p, p)), build((p, -p))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.sum(x), self.product(x), self.quotient(x)], dim=-1)


def typical_size(interpolation_range: tuple[float, ...]) -> float:
    """The mean absolute value of inputs from a range."""
    return spread(torch.linspace(0, 1, 1001)[:-1], interpolation_range).abs().mean().item()


def loss(outputs: Tensor, target: Tensor) -> Tensor:
    """The summed losses of the three networks, ``(S, B, 3), (S, B, 1) -> (S,)``; each learns from its own loss alone.

    The squared error in units of the targets' variance, and :func:`~tasks.arithmetic.loss.centred_loss` of the
    logarithms: a wrong scale gives every example the same error, which would drown the errors that teach the rows.
    """
    total = squared_error(outputs[..., :1], target) / target.var(dim=(1, 2))
    log_target = functional.log_abs(target)
    for power in outputs[..., 1:].split(1, dim=-1):
        total = total + centred_loss(power, log_target, BIAS_WEIGHT)
    return LOSS_SCALE * total


def losses(outputs: Tensor, target: Tensor) -> Tensor:
    """Each structure's centred loss divided by the variance of its targets (powers: their logarithms), ``(S, 3)``."""
    log_target = functional.log_abs(target)
    parts = []
    for output, wanted in zip(outputs.split(1, dim=-1), (target, log_target, log_target), strict=True):
        parts.append(centred_loss(output, wanted, BIAS_WEIGHT) / wanted.var(dim=(1, 2)))
    return torch.stack(parts, dim=-1)


def errors(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of each structure on inputs that all seeds share, ``(S, 3)``; inf where it is not finite."""
    outputs = model(x)
    values = torch.cat([outputs[..., :1], outputs[..., 1:].exp()], dim=-1)
    return (values - y).square().mean(dim=1).nan_to_num(torch.inf, posinf=torch.inf)


@torch.no_grad()
def evaluate(
    model: ThreeNetworks,
    validation: tuple[Tensor, Tensor],
    extrapolation: tuple[Tensor, Tensor],
    only: Tensor | None = None,
) -> dict[str, Tensor]:
    """Errors ``(S,)`` of the candidate with the lowest validation error.

    Candidates are the structures as trained, snapped, and snapped with refitted exponents.

    Args:
        model: the networks, with the stacked parameters of all seeds.
        only: the one structure of each seed that may be a candidate, ``(S,)``; by default all.
    """
    snapped = inspection.snapped(model)
    refitted = copy.deepcopy(snapped)
    for powers in (refitted.product, refitted.quotient):
        powers.refit_(validation[0], functional.log_abs(validation[1]))
    models = (model, snapped, refitted)
    inner, outer = (torch.cat([errors(m, *data) for m in models], dim=1) for data in (validation, extrapolation))
    if only is not None:
        number = torch.arange(inner.shape[1], device=inner.device) % len(STRUCTURES)
        inner = torch.where(number == only.unsqueeze(1), inner, torch.inf)
    chosen = inner.argmin(dim=1, keepdim=True)
    trained = inner[:, : len(STRUCTURES)].argmin(dim=1, keepdim=True)
    sparsity = torch.stack([_sparsity(m, name) for m in models for name in STRUCTURES], dim=1)

    def of(values: Tensor, choice: Tensor) -> Tensor:
        return values.gather(1, choice).squeeze(1)

    return {
        "interpolation/error": of(inner, chosen),
        "extrapolation/error": of(outer, chosen),
        "weights/sparsity": of(sparsity, chosen),
        "unsnapped/interpolation": of(inner, trained),
        "unsnapped/extrapolation": of(outer, trained),
        "chosen/head": (chosen.squeeze(1) % len(STRUCTURES)).float(),
        "chosen/snapped": (chosen.squeeze(1) >= len(STRUCTURES)).float(),
    }


def _sparsity(model: nn.Module, structure: str) -> Tensor:
    return functional.sparsity(inspection.effective_weights(model)[structure]).amax(dim=(-2, -1))
