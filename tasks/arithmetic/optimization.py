"""Optimisers on means and deviations of the weights, an option of the arithmetic tasks; see :mod:`nalu.MeanSplit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from nalu.training.mean_split import INPUTS, OUTPUTS, MeanSplit

Split = Literal["none", "inputs", "units"]
"""Along which axes of the weights the optimiser sees means apart from deviations."""

AXES: dict[Split, tuple[int, ...]] = {"none": (), "inputs": (INPUTS,), "units": (INPUTS, OUTPUTS)}


def split_optimizer(
    model: nn.Module, split: Split, build: Callable[[Iterable[Tensor]], torch.optim.Optimizer]
) -> torch.optim.Optimizer:
    """What ``build`` makes for the parameters of an ensemble, or for their means and deviations.

    The first axis of a parameter is the seed, along which nothing may be mixed; a vector has no units beside its
    inputs.
    """
    axes = AXES[split]
    if not axes:
        return build(model.parameters())
    parameters = [(parameter, [axis for axis in axes if -axis < parameter.ndim]) for parameter in model.parameters()]
    return MeanSplit(parameters, build)
