"""One network for all operations: three structures on a shared first layer, and a learned gate; ``--networks one``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from nalu import functional
from nalu.formula.text import decimal, weighted_sum
from tasks.six_operations import three_networks
from tasks.six_operations.structures import ROW_MEAN, PowerReadout
from tasks.six_operations.three_networks import STRUCTURES, Exponents, ThreeNetworks

TINY = 1e-12
"""Added to losses before their logarithm, which is finite then."""


class OneNetwork(nn.Module):
    """V h, and h1^p h2^q twice: starting at p = q and at p = -q, with a shared h = W x; ``(..., inputs) -> (..., 3)``.

    The last two outputs are logarithms; ``softmax(gate)`` weights the three structures.

    Unlike in ThreeNetworks, the sums h are not divided by their typical size before they are raised to a power. The
    degree p + q then also changes the size of the result. So the degree quickly comes near its value, before the gate
    settles on another structure and before the two rows become alike.
    """

    def __init__(self, inputs: int, exponents: Exponents) -> None:
        super().__init__()
        self._build = partial(ThreeNetworks, inputs, exponents, typical=1 / (ROW_MEAN * inputs))
        networks = self._build()
        self.V = networks.sum.V
        self.product = networks.product  # all structures use its rows
        self.quotient = PowerReadout(
            networks.quotient.exponents,
            size=networks.quotient.size,
            learn_difference=networks.quotient.half_difference.requires_grad,
        )
        self.gate = nn.Parameter(torch.zeros(1, len(STRUCTURES)))

    def forward(self, x: Tensor) -> Tensor:
        h = functional.linear(x, self.product.W)
        return torch.cat([functional.linear(h, self.V), self.product.of_sums(h), self.quotient(h)], dim=-1)

    @property
    def in_features(self) -> int:
        """The number of inputs."""
        return self.product.in_features

    @torch.no_grad()
    def formula(self, names: Sequence[str]) -> list[str]:
        """The three structures, each behind its weight of the gate; see :mod:`nalu.formula`."""
        W = self.product.W
        results = [*(weighted_sum(row, names) for row in (self.V @ W).tolist())]
        results += [structure.formula_of(W, names) for structure in (self.product, self.quotient)]
        gates = self.gate.softmax(dim=-1).flatten().tolist()
        return [f"{text}   (gate {decimal(gate)})" for text, gate in zip(results, gates, strict=True)]

    @torch.no_grad()
    def apart(self) -> ThreeNetworks:
        """The same structures, each with its own first layer, so that they can be snapped."""
        networks, W = self._build(), self.product.W
        networks.sum.V, networks.sum.W = self.V, nn.Parameter(W.clone())
        networks.product = self.product
        networks.quotient.W_hat = nn.Parameter(W.clone())
        for name, parameter in self.quotient.named_parameters():
            setattr(networks.quotient, name, parameter)
        return copy.deepcopy(networks)


def loss(outputs: Tensor, target: Tensor, gate: Tensor) -> Tensor:
    """The logarithms of the structures' losses, weighted by the gate: ``(S, B, 3), (S, B, 1), (S, 1, 3) -> (S,)``.

    Its gradient moves the gate towards the structure with the smallest loss; what counts is the ratio of the losses,
    not their size. The first layer follows the structure that the gate prefers, however small its loss has become.
    """
    return (gate.squeeze(1).softmax(dim=-1) * (three_networks.losses(outputs, target) + TINY).log()).sum(dim=-1)


@torch.no_grad()
def evaluate(
    network: OneNetwork, validation: tuple[Tensor, Tensor], extrapolation: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Metrics ``(S,)`` of the structure that the gate chose: as trained or snapped, whichever validates better.

    Args:
        network: the network, with the stacked parameters of all seeds.
    """
    gate = network.gate.squeeze(1).softmax(dim=-1)
    result = three_networks.evaluate(network.apart(), validation, extrapolation, only=gate.argmax(dim=-1))
    return {**result, "gate/largest": gate.amax(dim=-1)}
