"""Networks that read the words of a number one by one.

All take one-hot words ``(..., length, words)``, padded with zeros on the left, to a number ``(...)``. A padded position
leaves the state as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nalu import NAC, NALU, ArithmeticCell, GRUCell, LSTMCell
from nalu.functional import linear

Kind = Literal[
    "lstm", "gru", "transformer", "lstm-nac", "lstm-nalu",
    "nalu-cell", "multiply-add",
]  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """Of a network."""

    words: int
    embedding: int
    embedding_std: float
    hidden: int
    scale: float
    """The output of lstm, gru and transformer is multiplied by it."""


class Embedding(nn.Module):
    """A vector for each word, ``(..., words) -> (..., size)``; of one-hot words, which a matrix product looks up."""

    def __init__(self, words: int, size: int, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(std * torch.randn(words, size))

    def forward(self, one_hot: Tensor) -> Tensor:
        return one_hot @ self.weight


class Reader(nn.Module):
    """A recurrent cell over the embedded words, and a head on its last state."""

    def __init__(self, embedding: nn.Module, cell: Any, head: nn.Module, scale: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.cell = cell
        self.head = head
        self.scale = scale

    def forward(self, one_hot: Tensor) -> Tensor:
        embedded = self.embedding(one_hot)
        present = one_hot.sum(dim=-1, keepdim=True)
        state = self.cell.initial_state(embedded[..., 0, :])
        for word, there in zip(embedded.unbind(dim=-2), present.unbind(dim=-2), strict=True):
            new = self.cell(word, state)
            if isinstance(state, tuple):
                state = tuple(old + there * (now - old) for old, now in zip(state, new, strict=True))
            else:
                state = state + there * (new - state)
        h = state[0] if isinstance(state, tuple) else state
        return self.scale * self.head(h).squeeze(-1)


class MultiplyAdd(nn.Module):
    """Each word multiplies the state and adds to it: ``h' = M_word h + b_word``; the answer is the sum of the state.

    With a state of one number, each word is one multiplication and one addition: the products and sums of an NMU and an
    NAU with all weights at 1. A state of two numbers can keep what stands before "thousand" apart from what follows.
    Every word starts as one that does nothing, M the identity and b zero (with a little noise from two numbers on,
    without which they would stay alike).
    """

    def __init__(self, words: int, size: int, noise: float) -> None:
        super().__init__()
        noise = noise if size > 1 else 0.0
        self.M = nn.Parameter(torch.eye(size) + noise * torch.randn(words, size, size))
        self.b = nn.Parameter(noise * torch.randn(words, size))

    def forward(self, one_hot: Tensor) -> Tensor:
        # Looked up rather than multiplied out: second-order training differentiates with respect to every parameter.
        words, size = self.M.shape[:2]
        M = torch.cat([self.M, torch.eye(size).to(self.M).unsqueeze(0)])
        b = torch.cat([self.b, self.b.new_zeros(1, size)])
        ids = torch.where(one_hot.any(dim=-1), one_hot.argmax(dim=-1), words)
        h = self.b.new_zeros(*ids.shape[:-1], size)
        for M_word, b_word in zip(M[ids].unbind(dim=-3), b[ids].unbind(dim=-2), strict=True):
            h = (M_word * h.unsqueeze(-2)).sum(dim=-1) + b_word
        return h.sum(dim=-1)


class Transformer(nn.Module):
    """A small transformer encoder: two layers of two heads, learned positions, a linear read-out of the last word."""

    LENGTH = 16
    """Most words of a number."""
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
        x = self.embedding(one_hot) + self.position[-one_hot.shape[-2] :]  # counted from the end
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
    """A linear layer, evaluated as is fastest for many seeds."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, 1)

    def forward(self, h: Tensor) -> Tensor:
        return linear(h, self.linear.weight) + self.linear.bias


ACCUMULATING = 10.0
"""Start of W_hat and M_hat that connect the state of a NALU cell with itself: its weight begins at 1."""
EMBEDDING_SCALE = 10.0
"""Of the embedding of a NALU cell, so that addends of tens are near."""
GATE_BIAS = 2.0


class NALUCell(nn.Module):
    """A NALU over the embedded words whose state, one number, is the answer.

    It starts as an accumulator: the state's own weight is 1, the gates are on the additive side and do not look at the
    state.
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


def build(kind: Kind, sizes: Sizes) -> nn.Module:
    """The network of one seed, ``(..., length, words) -> (...)``."""
    if kind == "multiply-add":
        return MultiplyAdd(sizes.words, sizes.hidden, sizes.embedding_std)
    if kind == "transformer":
        return Transformer(sizes)
    if kind == "nalu-cell":
        return NALUCell(sizes)
    cell, _, unit = kind.partition("-")
    heads: dict[str, Callable[[], nn.Module]] = {
        "": lambda: Readout(sizes.hidden),
        "nac": lambda: NAC(sizes.hidden, 1, init="glorot_uniform"),
        "nalu": lambda: NALU(sizes.hidden, 1, init="glorot_uniform"),
    }
    embedding = Embedding(sizes.words, sizes.embedding, sizes.embedding_std)
    return Reader(embedding, CELLS[cell](sizes.embedding, sizes.hidden), heads[unit](), 1.0 if unit else sizes.scale)


def neutral(model: nn.Module) -> dict[str, Tensor]:
    """The parameters of a multiply-add network whose words do nothing; of other networks, all zero."""
    zero = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    if isinstance(model, MultiplyAdd):
        zero["M"] += torch.eye(model.M.shape[-1]).to(model.M)
    return zero
