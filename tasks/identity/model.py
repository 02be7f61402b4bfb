"""A network with one input, three hidden layers and one output, for any activation or arithmetic unit."""

from __future__ import annotations

from typing import Annotated

from torch import nn

from nalu.init import Init
from nalu.units.catalogue import UNITS, constructor
from tasks.harness.cells import choice

ACTIVATIONS: dict[str, type[nn.Module]] = {
    activation.__name__.lower(): activation
    for activation in (
        nn.Hardtanh, nn.Sigmoid, nn.ReLU6, nn.Tanh, nn.Tanhshrink, nn.Hardshrink, nn.LeakyReLU, nn.Softshrink,
        nn.Softsign, nn.ReLU, nn.PReLU, nn.Softplus, nn.ELU, nn.SELU,
    )
}  # fmt: skip
CELLS = (*ACTIVATIONS, *UNITS)
Cell = Annotated[str, choice(CELLS)]


def build(cell: str, width: int, init: Init) -> nn.Module:
    """The network of one seed, ``(..., 1) -> (..., 1)``: linear layers with biases, or four layers of a unit."""
    sizes = [(1, width), (width, width), (width, width), (width, 1)]
    if cell not in ACTIVATIONS:
        unit = constructor(cell, init)
        return nn.Sequential(*[unit(inputs, outputs) for inputs, outputs in sizes])
    layers: list[nn.Module] = []
    for inputs, outputs in sizes:
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[cell]()]
    return nn.Sequential(*layers[:-1])
