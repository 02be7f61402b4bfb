"""A recurrent cell over the sequence and an output layer on its last state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from torch import Tensor, nn

from nalu import ArithmeticCell, GRUCell, LSTMCell, RNNCell
from nalu.init import Init
from nalu.units.catalogue import UNITS, two_layers
from tasks.harness.cells import choice

BASELINES: dict[str, Callable[[int, int], nn.Module]] = {
    "lstm": LSTMCell,
    "gru": GRUCell,
    "rnn-tanh": partial(RNNCell, nonlinearity="tanh"),
    "rnn-relu": partial(RNNCell, nonlinearity="relu"),
}

CELLS = (*UNITS, *BASELINES)
Cell = Annotated[str, choice(CELLS)]


class Recurrent(nn.Module):
    """``cell`` applied to every step, ``output`` to its last state: ``(..., length, inputs) -> (..., 1)``."""

    def __init__(self, cell: Any, output: nn.Module) -> None:
        super().__init__()
        self.cell = cell
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        steps = x.unbind(dim=-2)
        state = self.cell.initial_state(steps[0])
        for step in steps:
            state = self.cell(step, state)
        return self.output(state[0] if isinstance(state, tuple) else state)


def build(cell: str, inputs: int, hidden: int, init: Init) -> nn.Module:
    """The network of one seed: a recurrent cell of an additive unit keeps the sums, the named unit is the output.

    nac-mul has a NAC cell and a NAC-mul output, nmu has a NAU cell and an NMU output, and so on for every unit with a
    first layer of another kind. The baselines have a linear output.
    """
    if cell in BASELINES:
        return Recurrent(BASELINES[cell](inputs, hidden), nn.Linear(hidden, 1))
    first, second = two_layers(cell, init)
    return Recurrent(ArithmeticCell(first, inputs, hidden), second(hidden, 1))
