"""Two NALU layers, 10 -> 2 -> 1."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from nalu import NALU
from nalu.init import Init
from tasks.blog_example.data import INPUTS

HIDDEN = 2


def build(init: Init, gate_bias: float | None, separate_weights: bool) -> nn.Module:
    """The network of one seed, ``(..., 10) -> (..., 1)``; see :class:`nalu.NALU` for the options."""
    sizes = {"hidden": (INPUTS, HIDDEN), "output": (HIDDEN, 1)}
    return nn.Sequential(
        OrderedDict(
            (name, NALU(*size, init=init, gate_bias=gate_bias, separate_weights=separate_weights))
            for name, size in sizes.items()
        )
    )
