"""Networks that read the words of a number one by one.

Every network maps one-hot words ``(..., length, words)``, padded with zeros on the left, to numbers ``(...)``. A padded
position does not change the state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from nalu import NALU, ArithmeticCell, GRUCell, LSTMCell
from nalu.functional import linear
from nalu.units.catalogue import constructor
from tasks.harness.cells import choice

KINDS = ("lstm", "gru", "transformer", "lstm-nac", "lstm-nalu", "nalu-cell", "multiply-add")
Kind = Annotated[str, choice((*KINDS, "lstm-UNIT", "gru-UNIT"))]


@dataclass(frozen=True)
class Sizes:
    """Sizes and scales of a network."""

    words: int
    embedding: int
    embedding_std: float
    hidden: int
    scale: float
    """Factor of the outputs of lstm, gru and transformer."""


class Embedding(nn.Module):
    """An embedding of one-hot words, computed as a matrix product: ``(..., words) -> (..., size)``."""

    def __init__(self, words: int, size: int, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(std * torch.randn(words, size))

    def forward(self, one_hot: Tensor) -> Tensor:
        return one_hot @ self.weight


class Reader(nn.Module):
    """Runs a recurrent cell over the embedded words and applies a head to the last state."""

    def __init__(self, embedding: nn.Module, cell: Any, head: nn.Module, scale: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.cell = cell
        self.head = head
        self.scale = scale

    def forward(self, one_hot: Tensor) -> Tensor:
        embedded = self.embedding(one_hot)
        is_word = one_hot.sum(dim=-1, keepdim=True)  # 0 for padding
        state = self.cell.initial_state(embedded[..., 0, :])
        for word, present in zip(embedded.unbind(dim=-2), is_word.unbind(dim=-2), strict=True):
            new = self.cell(word, state)
            if isinstance(state, tuple):
                state = tuple(old + present * (now - old) for old, now in zip(state, new, strict=True))
            else:
                state = state + present * (new - state)
        h = state[0] if isinstance(state, tuple) else state
        return self.scale * self.head(h).squeeze(-1)


class MultiplyAdd(nn.Module):
    """Each word multiplies the state and adds to it: ``h' = M_word h + b_word``. The output is the sum of the state.

    With hidden size 1, each word is one multiplication and one addition, as computed by an NMU and an NAU whose weights
    are all 1. With hidden size 2, the state can keep the value before "thousand" separate from the value after it.
    Initially no word changes the state: M is the identity and b is 0. From hidden size 2 on, a little noise is added to
    both, because the components of the state would otherwise stay equal.
    """

    def __init__(self, words: int, size: int, noise: float) -> None:
        super().__init__()
        noise = noise if size > 1 else 0.0
        self.M = nn.Parameter(torch.eye(size) + noise * torch.randn(words, size, size))
        self.b = nn.Parameter(noise * torch.randn(words, size))

    def forward(self, one_hot: Tensor) -> Tensor:
        # Looked up instead of multiplied: second-order training differentiates with respect to every parameter.
        words, size = self.M.shape[:2]
        M = torch.cat([self.M, torch.eye(size).to(self.M).unsqueeze(0)])
        b = torch.cat([self.b, self.b.new_zeros(1, size)])
        ids = torch.where(one_hot.any(dim=-1), one_hot.argmax(dim=-1), words)
        h = self.b.new_zeros(*ids.shape[:-1], size)
        for M_word, b_word in zip(M[ids].unbind(dim=-3), b[ids].unbind(dim=-2), strict=True):
            h = (M_word * h.unsqueeze(-2)).sum(dim=-1) + b_word
        return h.sum(dim=-1)


class Transformer(nn.Module):
    """A small transformer encoder: two layers with two heads, learned positions, a linear output on the last word."""

    LENGTH = 16
    """Largest number of words of a number."""
    HEADS = 2

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.hidden
        self.embedding = Embedding(sizes.words, width, sizes.embedding_std)
        self.position = nn.Parameter(sizes.embedding_std * torch.randn(self.LENGTH, width))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.LayerNorm(width),
                    "qkv": nn.Linear(width, 3 * width),
                    "mix": nn.Linear(width, width),
                    "mlp": nn.Sequential(
                        nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
                    ),
                }
            )
            for _ in range(2)
        )
        self.head = nn.Linear(width, 1)
        self.scale = sizes.scale

    def forward(self, one_hot: Tensor) -> Tensor:
        present = one_hot.sum(dim=-1) > 0
        x = (
            self.embedding(one_hot) + self.position[-one_hot.shape[-2] :]
        )  # positions count from the last word, because padding is on the left
        for block in self.blocks:
            assert isinstance(block, nn.ModuleDict)
            x = x + block["mix"](self._attend(block["qkv"](block["norm"](x)), present))
            x = x + block["mlp"](x)
        return self.scale * self.head(x[..., -1, :]).squeeze(-1)

    def _attend(self, qkv: Tensor, present: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.HEADS, -1)).transpose(-2, -3) for part in qkv.chunk(3, dim=-1))
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        weights = scores.masked_fill(~present[..., None, None, :], -1e9).softmax(dim=-1)
        return (weights @ v).transpose(-2, -3).flatten(-2)


class Readout(nn.Module):
    """A linear layer with one output, computed in the way that is fastest for many seeds."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, 1)

    def forward(self, h: Tensor) -> Tensor:
        return linear(h, self.linear.weight) + self.linear.bias


ACCUMULATING = 10.0
"""Initial W_hat and M_hat between the state of a NALU cell and itself; the weight is then 1 - 5e-5."""
EMBEDDING_SCALE = 10.0
"""Scale of the embedding of a NALU cell; it brings summands such as 20 or 90 within reach."""
GATE_BIAS = 2.0


class NALUCell(nn.Module):
    """A recurrent NALU over the embedded words. Its state is a single number, the output.

    Initially it is an accumulator: the state-to-state weight is 1, and the gate is on the additive side and does not
    depend on the state.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        unit = partial(NALU, gate_bias=GATE_BIAS, init="glorot_uniform")
        embedding = Embedding(sizes.words, sizes.embedding, 1.0)
        self.reader = Reader(embedding, ArithmeticCell(unit, sizes.embedding, 1), nn.Identity(), 1.0)
        with torch.no_grad():
            cell = self.reader.cell.unit
            cell.W_hat[:, -1] = cell.M_hat[:, -1] = ACCUMULATING
            cell.G[:, -1] = 0.0
            embedding.weight.mul_(EMBEDDING_SCALE)

    def forward(self, one_hot: Tensor) -> Tensor:
        return self.reader(one_hot)


CELLS: dict[str, Callable[[int, int], nn.Module]] = {"lstm": LSTMCell, "gru": GRUCell}


def unit_of(kind: str) -> str | None:
    """The unit on the last state: of ``lstm-nac`` the nac; None for models without one."""
    cell, _, unit = kind.partition("-")
    return unit if cell in CELLS and unit else None


def build(kind: str, sizes: Sizes) -> nn.Module:
    """The network of one seed, ``(..., length, words) -> (...)``."""
    if kind == "multiply-add":
        return MultiplyAdd(sizes.words, sizes.hidden, sizes.embedding_std)
    if kind == "transformer":
        return Transformer(sizes)
    if kind == "nalu-cell":
        return NALUCell(sizes)
    cell, unit = CELLS[kind.partition("-")[0]], unit_of(kind)
    embedding = Embedding(sizes.words, sizes.embedding, sizes.embedding_std)
    encoder = cell(sizes.embedding, sizes.hidden)
    if unit is None:
        return Reader(embedding, encoder, Readout(sizes.hidden), sizes.scale)
    return Reader(embedding, encoder, constructor(unit, "glorot_uniform")(sizes.hidden, 1), 1.0)


def no_op_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Parameters by name. With them, no word changes the state of a multiply-add network; other models get zeros."""
    zero = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    if isinstance(model, MultiplyAdd):
        zero["M"] += torch.eye(model.M.shape[-1]).to(model.M)
    return zero
