"""One network for all operations: the three heads on one first layer, and a learned gate; `--cell gated-heads`.

In place of three networks that are trained apart and chosen by validation, of `--cell heads`.
"""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import Tensor, nn

from nalu import Ensemble, functional
from nalu.heads import ROW_MEAN, PowerReadout
from tasks.static_arithmetic import heads
from tasks.static_arithmetic.heads import HEADS, Exponents, Heads

TINY = 1e-12
"""Added to losses before their logarithm is taken."""


class GatedHeads(nn.Module):
    """V h, h1^p h2^q from p = q and the same from p = -q, of the same h = W x; ``(..., inputs) -> (..., 3)``.

    The last two are given as logarithms. Which of the three is meant, ``softmax(gate)`` tells.

    The sums of the powers are not in units of their size, as those of Heads are: p + q then changes the size of the
    result, too, and is soon near its place, before the gate closes on another head and before both rows are alike.
    """

    def __init__(self, inputs: int, exponents: Exponents) -> None:
        super().__init__()
        self._build = partial(Heads, inputs, exponents, typical=1 / (ROW_MEAN * inputs))
        heads = self._build()
        self.V = heads.sum.V
        self.product = heads.product  # its rows serve all
        self.quotient = PowerReadout(
            heads.quotient.exponents,
            size=heads.quotient.size,
            learn_difference=heads.quotient.half_difference.requires_grad,
        )
        self.gate = nn.Parameter(torch.zeros(1, len(HEADS)))

    def forward(self, x: Tensor) -> Tensor:
        h = functional.linear(x, self.product.W)
        return torch.cat([functional.linear(h, self.V), self.product.of_sums(h), self.quotient(h)], dim=-1)

    @torch.no_grad()
    def apart(self) -> Heads:
        """The same heads with a first layer each, so that they can be snapped."""
        heads, W = self._build(), self.product.W
        heads.sum.V, heads.sum.W = self.V, nn.Parameter(W.clone())
        heads.product = self.product
        heads.quotient.W_hat = nn.Parameter(W.clone())
        for name, parameter in self.quotient.named_parameters():
            setattr(heads.quotient, name, parameter)
        return copy.deepcopy(heads)


def loss(outputs: Tensor, target: Tensor, gate: Tensor) -> Tensor:
    """The logarithms of the heads' losses, weighted by the gate: ``(S, B, 3), (S, B, 1), (S, 1, 3) -> (S,)``.

    Its gradient in the gate is that towards the head of least loss, by ratio and not by size; and the first layer
    follows the head that the gate trusts, however small its loss has become.
    """
    return (gate.squeeze(1).softmax(dim=-1) * (heads.losses(outputs, target) + TINY).log()).sum(dim=-1)


@torch.no_grad()
def evaluate(
    model: Ensemble, validation: tuple[Tensor, Tensor], extrapolation: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Of the head that the gate has chosen, as trained or with its weights snapped, whichever validates better."""
    network = model.template
    gate = network.gate.squeeze(1).softmax(dim=-1)
    result = heads.evaluate(network.apart(), validation, extrapolation, only=gate.argmax(dim=-1))
    return {**result, "gate/largest": gate.amax(dim=-1)}
