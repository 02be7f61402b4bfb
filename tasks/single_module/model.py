"""The network of one seed: one unit."""

from __future__ import annotations

from torch import nn

from nalu.units.catalogue import constructor


def build(cell: str, inputs: int) -> nn.Module:
    """A unit ``(..., inputs) -> (..., 1)``, initialised as in the reproduction studies."""
    return constructor(cell, "madsen_johansen")(inputs, 1)
