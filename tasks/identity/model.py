"""A network with one input, three hidden layers and one output, for any activation or arithmetic unit."""

from __future__ import annotations

from typing import Literal

from torch import nn

from nalu import NAC, NALU
from nalu.init import Init

Cell = Literal[
    "hardtanh", "sigmoid", "relu6", "tanh", "tanhshrink", "hardshrink", "leakyrelu", "softshrink", "softsign", "relu",
    "prelu", "softplus", "elu", "selu",
    "nac", "nalu",
]  # fmt: skip

ACTIVATIONS: dict[str, type[nn.Module]] = {
    activation.__name__.lower(): activation
    for activation in (
        nn.Hardtanh, nn.Sigmoid, nn.ReLU6, nn.Tanh, nn.Tanhshrink, nn.Hardshrink, nn.LeakyReLU, nn.Softshrink,
        nn.Softsign, nn.ReLU, nn.PReLU, nn.Softplus, nn.ELU, nn.SELU,
    )
}  # fmt: skip
UNITS: dict[str, type[NAC] | type[NALU]] = {"nac": NAC, "nalu": NALU}


def build(cell: Cell, width: int, init: Init) -> nn.Module:
    """The network of one seed, ``(..., 1) -> (..., 1)``: linear layers with biases, or four layers of a unit."""
    sizes = [(1, width), (width, width), (width, width), (width, 1)]
    if cell in UNITS:
        return nn.Sequential(*[UNITS[cell](inputs, outputs, init=init) for inputs, outputs in sizes])
    layers: list[nn.Module] = []
    for inputs, outputs in sizes:
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[cell]()]
    return nn.Sequential(*layers[:-1])
