"""Two-layer networks, inputs -> hidden -> 1, with every unit and activation that the published tables compare."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

import torch
from torch import Tensor, nn

from nalu.init import Init
from nalu.units.catalogue import UNITS, two_layers
from tasks.harness.cells import choice


class CReLU(nn.Module):
    """Concatenated ReLU, ``(..., n) -> (..., 2 n)`` (Shang et al. 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.relu(), (-x).relu()], dim=-1)


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "linear": nn.Identity,
    "relu6": nn.ReLU6,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softsign": nn.Softsign,
    "selu": nn.SELU,
    "elu": nn.ELU,
    "crelu": CReLU,
}
RECTIFIERS = ("relu6", "relu", "elu", "crelu")

CELLS = (*ACTIVATIONS, *UNITS)
Cell = Annotated[str, choice(CELLS)]


def build(cell: str, inputs: int, hidden: int, init: Init) -> nn.Module:
    """The network of one seed, ``(..., inputs) -> (..., 1)``."""
    if cell in ACTIVATIONS:
        return _perceptron(cell, inputs, hidden)
    first, second = two_layers(cell, init)
    return nn.Sequential(OrderedDict(hidden=first(inputs, hidden), output=second(hidden, 1)))


def _perceptron(activation: str, inputs: int, hidden: int) -> nn.Module:
    """A linear layer, the activation, a linear layer; with biases, initialised as in the reproduction study."""
    widened = 2 * hidden if activation == "crelu" else hidden
    first, second = nn.Linear(inputs, hidden), nn.Linear(widened, 1)
    if activation in RECTIFIERS:
        nn.init.kaiming_uniform_(first.weight, nonlinearity="relu")
    elif activation == "selu":
        bound = (3 / inputs) ** 0.5
        nn.init.uniform_(first.weight, -bound, bound)
    else:
        nn.init.xavier_uniform_(first.weight)
    nn.init.xavier_uniform_(second.weight)
    nn.init.zeros_(first.bias)
    nn.init.zeros_(second.bias)
    return nn.Sequential(OrderedDict(hidden=first, activation=ACTIVATIONS[activation](), output=second))
