"""Two layers of a unit, 10 -> 2 -> 1; in the article, of the NALU."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from nalu.init import Init
from nalu.units.catalogue import constructor
from tasks.blog_example.data import INPUTS

HIDDEN = 2


def build(cell: str, init: Init, gate_bias: float | None, separate_weights: bool) -> nn.Module:
    """The network of one seed, ``(..., 10) -> (..., 1)``; see :class:`nalu.NALU` for its options."""
    unit = constructor(cell, init)
    if cell == "nalu":
        unit = partial(unit, gate_bias=gate_bias, separate_weights=separate_weights)
    sizes = {"hidden": (INPUTS, HIDDEN), "output": (HIDDEN, 1)}
    return nn.Sequential(OrderedDict((name, unit(*size)) for name, size in sizes.items()))
