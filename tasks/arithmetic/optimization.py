"""Optimise means and deviations of the weights separately, an option of the arithmetic tasks; see `nalu.MeanSplit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from nalu.training.mean_split import INPUTS, OUTPUTS, MeanSplit

Split = Literal["none", "inputs", "units"]
"""The axes of the weights along which means and deviations are optimised separately."""

AXES: dict[Split, tuple[int, ...]] = {"none": (), "inputs": (INPUTS,), "units": (INPUTS, OUTPUTS)}


def split_optimizer(
    model: nn.Module, split: Split, build: Callable[[Iterable[Tensor]], torch.optim.Optimizer]
) -> torch.optim.Optimizer:
    """The optimiser that ``build`` makes, for the parameters of an ensemble or for their means and deviations.

    The first axis of a parameter is the seed, and seeds must not be mixed. A vector has an axis of inputs, but none of
    units.
    """
    axes = AXES[split]
    if not axes:
        return build(model.parameters())
    parameters = [(parameter, [axis for axis in axes if -axis < parameter.ndim]) for parameter in model.parameters()]
    return MeanSplit(parameters, build)
