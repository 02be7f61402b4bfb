"""The network of one seed: an MLP, which is the baseline, or one arithmetic unit."""

from __future__ import annotations

from torch import nn

from nalu.units.catalogue import find_unit

from .data import INPUTS

CELLS = ("mlp", "nalu", "nmu")
"""The networks of the table; any other unit is given as MODULE:CLASS."""
WIDTH = 16


def build(cell: str) -> nn.Module:
    """The network, ``(..., INPUTS) -> (..., 1)``."""
    if cell == "mlp":
        return nn.Sequential(nn.Linear(INPUTS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))
    return find_unit(cell).build(INPUTS, 1)
