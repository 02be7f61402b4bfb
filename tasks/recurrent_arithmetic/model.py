"""A recurrent cell over the sequence and an output layer on its last state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor, nn

from nalu import NAC, NALU, NAU, NMU, ArithmeticCell, GRUCell, LSTMCell, NACMul, RNNCell
from nalu.init import Init

Cell = Literal["nac", "nac-mul", "nalu", "nau", "nmu", "lstm", "gru", "rnn-tanh", "rnn-relu"]

BASELINES: dict[Cell, Callable[[int, int], nn.Module]] = {
    "lstm": LSTMCell,
    "gru": GRUCell,
    "rnn-tanh": partial(RNNCell, nonlinearity="tanh"),
    "rnn-relu": partial(RNNCell, nonlinearity="relu"),
}


class Recurrent(nn.Module):
    """``cell`` applied to every step, ``output`` to its last state: ``(..., length, inputs) -> (..., 1)``."""

    def __init__(self, cell: nn.Module, output: nn.Module) -> None:
        super().__init__()
        self.cell = cell
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        steps = x.unbind(dim=-2)
        state = self.cell.initial_state(steps[0])
        for step in steps:
            state = self.cell(step, state)
        return self.output(state[0] if isinstance(state, tuple) else state)


def build(cell: Cell, inputs: int, hidden: int, init: Init) -> nn.Module:
    """The network of one seed. Sums are kept by an additive unit; the output unit is what the name says.

    nac-mul has a NAC cell and a NAC-mul output, nmu a NAU cell and an NMU output; the baselines have a linear output.
    """
    if cell in BASELINES:
        return Recurrent(BASELINES[cell](inputs, hidden), nn.Linear(hidden, 1))
    if cell in ("nau", "nmu"):
        return Recurrent(ArithmeticCell(NAU, inputs, hidden), (NAU if cell == "nau" else NMU)(hidden, 1))
    unit = NALU if cell == "nalu" else NAC
    output = {"nac": NAC, "nac-mul": NACMul, "nalu": NALU}[cell]
    return Recurrent(ArithmeticCell(partial(unit, init=init), inputs, hidden), output(hidden, 1, init=init))
