"""Recurrent cells that batch over seeds.

The cells of torch do not run under ``vmap`` with stacked weights. LSTMCell, GRUCell and RNNCell have torch's parameter
names, gate order and mathematics, so that a state_dict of ``torch.nn.LSTMCell`` loads into ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nalu import functional
from nalu.units.base import check_features, check_input


class ArithmeticCell(nn.Module):
    """An arithmetic unit as recurrent cell: ``h_t = unit([x_t, h_{t-1}])``.

    Shapes: ``x (..., input_size), h (..., hidden_size) -> (..., hidden_size)``.

    Args:
        unit: builds the unit from its numbers of inputs and outputs, for example ``nalu.NAC``.
        start: the state before the first step; ``None`` for the unit's identity element, 0 for sums and 1 for products.
    """

    def __init__(
        self, unit: Callable[[int, int], nn.Module], input_size: int, hidden_size: int, *, start: float | None = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size = check_features(input_size, hidden_size)
        self.unit: Any = unit(input_size + hidden_size, hidden_size)
        self.start = float(getattr(self.unit, "identity_element", 0.0)) if start is None else start

    def initial_state(self, x: Tensor) -> Tensor:
        """The state before the first step, ``(..., hidden_size)``, for inputs ``x (..., input_size)``."""
        return x.new_full((*x.shape[:-1], self.hidden_size), self.start)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        check_input(x, self.input_size, "input_size")
        _check_state(h, x, self.hidden_size)
        new: Tensor = self.unit(torch.cat([x, h], dim=-1))
        return new


def _check_state(state: Tensor, x: Tensor, hidden_size: int) -> None:
    """Raise a RuntimeError unless a state has the batch of the input and the width of the cell."""
    expected = (*x.shape[:-1], hidden_size)
    if state.shape != expected:
        raise RuntimeError(f"the state must have shape {tuple(expected)}, got {tuple(state.shape)}")


class _TorchCell(nn.Module):
    """Parameters and initialisation of torch's recurrent cells; ``gates`` blocks of ``hidden_size`` rows."""

    gates: int

    def __init__(
        self, input_size: int, hidden_size: int, *, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size = check_features(input_size, hidden_size)
        rows = self.gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size, device=device, dtype=dtype))
        self.bias_ih = nn.Parameter(torch.empty(rows, device=device, dtype=dtype))
        self.bias_hh = nn.Parameter(torch.empty(rows, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def _zeros(self, x: Tensor) -> Tensor:
        return x.new_zeros((*x.shape[:-1], self.hidden_size))

    def _check(self, x: Tensor, *states: Tensor) -> None:
        check_input(x, self.input_size, "input_size")
        for state in states:
            _check_state(state, x, self.hidden_size)

    def _input(self, x: Tensor) -> Tensor:
        return functional.affine(x, self.weight_ih, self.bias_ih)

    def _hidden(self, h: Tensor) -> Tensor:
        return functional.affine(h, self.weight_hh, self.bias_hh)

    def extra_repr(self) -> str:
        return f"input_size={self.input_size}, hidden_size={self.hidden_size}"


class RNNCell(_TorchCell):
    """Elman cell, ``h' = act(W_ih x + b_ih + W_hh h + b_hh)``; as ``torch.nn.RNNCell``.

    Shapes: ``x (..., input_size), h (..., hidden_size) -> (..., hidden_size)``.
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, device=device, dtype=dtype)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be tanh or relu, got {nonlinearity!r}")
        self.nonlinearity = nonlinearity

    def initial_state(self, x: Tensor) -> Tensor:
        """Zeros, ``(..., hidden_size)``, for inputs ``x (..., input_size)``."""
        return self._zeros(x)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        self._check(x, h)
        z = self._input(x) + self._hidden(h)
        return torch.tanh(z) if self.nonlinearity == "tanh" else F.relu(z)


class GRUCell(_TorchCell):
    """Gated recurrent unit (Cho et al. 2014); as ``torch.nn.GRUCell``.

    Shapes: ``x (..., input_size), h (..., hidden_size) -> (..., hidden_size)``.
    """

    gates = 3

    def initial_state(self, x: Tensor) -> Tensor:
        """Zeros, ``(..., hidden_size)``, for inputs ``x (..., input_size)``."""
        return self._zeros(x)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        self._check(x, h)
        r_x, z_x, n_x = self._input(x).chunk(3, dim=-1)
        r_h, z_h, n_h = self._hidden(h).chunk(3, dim=-1)
        r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        n = torch.tanh(n_x + r * n_h)
        return n + z * (h - n)


class LSTMCell(_TorchCell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with forget gate); as ``torch.nn.LSTMCell``.

    Shapes: ``x (..., input_size), (h, c) each (..., hidden_size) -> (h', c')``.
    """

    gates = 4

    def initial_state(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Zeros for h and c, each ``(..., hidden_size)``, for inputs ``x (..., input_size)``."""
        return self._zeros(x), self._zeros(x)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        self._check(x, h, c)
        return self.update(self._input(x) + self._hidden(h), c)

    @staticmethod
    def update(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """The state after a step: from the gates before their activation, ``(..., 4 hidden_size)``, and c."""
        i, f, g, o = gates.chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c
