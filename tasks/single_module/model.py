"""The network of one seed: one unit."""

from __future__ import annotations

from torch import nn

from nalu.units.catalogue import find_unit


def build(cell: str, inputs: int) -> nn.Module:
    """A unit ``(..., inputs) -> (..., 1)``, initialised as in the reproduction studies."""
    unit = find_unit(cell)
    return unit.build(inputs, 1, init="madsen_johansen") if unit.has_init else unit.build(inputs, 1)
