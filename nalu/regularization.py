"""What a training loop owes its units beside the gradient: projections, fresh noise, regularisers and their weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def after_step_(model: nn.Module) -> None:
    """What is due after every optimiser step, for every unit in ``model`` (single or :class:`nalu.Ensemble`), in place.

    Clipped units are projected into their weight range (modules with ``clip_()``), stochastic ones go on to the noise
    of the next step (modules with ``renew_noise_()``).
    """
    _each(model, "clip_")
    _each(model, "renew_noise_")


def project_gradients_(model: nn.Module) -> None:
    """Drop from the gradients, in place, what would lead clipped weights out of their range (gradient projection).

    Of every module with ``project_gradient_()``. An optimiser that works on each weight by itself needs no such thing:
    it steps out, and :func:`after_step_` takes it back. But in a mean over weights (:class:`nalu.MeanSplit`), what
    those on their bounds cannot follow would outvote those that can.
    """
    _each(model, "project_gradient_")


def sparsity_penalty(model: nn.Module) -> Tensor:
    """Sum over the units of ``model`` of the mean distance of their weights to {-1, 0, 1}: a scalar, or ``(S,)``.

    Of every module with ``sparsity_penalty()``, which is every unit with weights of its own; zero for other models.
    """
    return _sum(model, "sparsity_penalty")


def regularizer(model: nn.Module) -> Tensor:
    """Sum over the units of ``model`` of what their papers add to the loss: a scalar, ``(S,)`` for an Ensemble.

    Of every module with ``regularizer()``; zero for a model without such units. The published weights are in
    ``nalu.units.UNITS[name].penalty``.
    """
    return _sum(model, "regularizer")


def _each(model: nn.Module, method: str) -> list[Tensor]:
    """What the method returns in every module that has it; looked for in the class, which is fast."""
    return [getattr(module, method)() for module in model.modules() if hasattr(type(module), method)]


def _sum(model: nn.Module, method: str) -> Tensor:
    if penalties := _each(model, method):
        return torch.stack(penalties).sum(dim=0)
    return torch.zeros((), device=next((p.device for p in model.parameters()), None))
