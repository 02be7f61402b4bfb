"""What a network computes, as a formula; additive layers in a row are multiplied out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nalu import inspection
from nalu.formula.layers import HasFormula, additive_weights, outputs, rows
from nalu.formula.text import weighted_sum


@torch.no_grad()
def formula(network: nn.Module) -> list[str]:
    """The formula of a network: a line for each hidden value that is not merely a sum, and for each output.

    Inputs are ``x1, x2, ...``, outputs ``y``, or ``y1, y2, ...``. Numbers have three decimals at most.

    Args:
        network: one network (not stacked over seeds): a unit, or an ``nn.Sequential`` of units, linear layers and
            activations. A layer of another kind appears by its name.

    Raises:
        ValueError: when no layer has ``in_features``.
    """
    layers = list(_layers(network))
    widths = [width for layer in layers if isinstance(width := getattr(layer, "in_features", None), int)]
    if not widths:
        raise ValueError("the number of inputs is unknown: no layer of the network has in_features")
    lines: list[str] = []
    names, sums = _numbered("x", widths[0]), None
    hidden = 0

    def named(texts: Sequence[str]) -> list[str]:
        """Give the values names, in lines of the formula."""
        nonlocal hidden
        new = _numbered("h", len(texts), after=hidden)
        hidden += len(texts)
        lines.extend(f"{name} = {text}" for name, text in zip(new, texts, strict=True))
        return new

    for layer in layers:
        additive = additive_weights(layer)
        if additive is not None:
            sums = (sums or _Sums.of(len(names))).mapped(*additive)
            continue
        if sums is not None:
            names, sums = named(sums.texts(names)), None
        names = named(outputs(layer, names))
    if sums is not None:
        return lines + _as_outputs(sums.texts(names))
    last = len(lines) - len(names)  # the last layer's values are the outputs
    return lines[:last] + _as_outputs([line.partition(" = ")[2] for line in lines[last:]])


def formulas(network: nn.Module) -> list[str]:
    """The formula of a network, or of each of its layers, after their names, where they are not in a row."""
    try:
        return formula(network)
    except ValueError:
        shown = (inspection.Weighted, inspection.Gated, HasFormula, nn.Linear)
        names = [name for name, module in network.named_modules() if isinstance(module, shown)]
        return [f"{name}: {line}" for name in names for line in formula(network.get_submodule(name))]


@torch.no_grad()
def network_weights(network: nn.Module) -> Tensor | None:
    """The weights of a network of additive layers, ``(..., out, in)``: their product. None for other networks.

    Args:
        network: one network, or the template of an :class:`nalu.Ensemble`, whose weights have an axis of seeds.
    """
    product: Tensor | None = None
    for layer in _layers(network):
        additive = additive_weights(layer)
        if additive is None:
            return None
        product = additive[0] if product is None else additive[0] @ product
    return product


@dataclass(frozen=True)
class _Sums:
    """Weighted sums of named values."""

    weights: Tensor
    bias: Tensor

    @classmethod
    def of(cls, count: int) -> _Sums:
        return cls(torch.eye(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64))

    def mapped(self, W: Tensor, bias: Tensor | None) -> _Sums:
        W = W.cpu().double()
        offset = W @ self.bias
        return _Sums(W @ self.weights, offset if bias is None else offset + bias.cpu().double())

    def texts(self, names: Sequence[str]) -> list[str]:
        biases = self.bias.tolist()
        return [weighted_sum(row, names, bias) for row, bias in zip(rows(self.weights), biases, strict=True)]


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    if isinstance(network, nn.Sequential):
        for child in network:
            yield from _layers(child)
    elif not isinstance(network, nn.Identity):
        yield network


def _numbered(letter: str, count: int, after: int = 0) -> list[str]:
    return [f"{letter}{number}" for number in range(after + 1, after + count + 1)]


def _as_outputs(texts: Sequence[str]) -> list[str]:
    names = ["y"] if len(texts) == 1 else _numbered("y", len(texts))
    return [f"{name} = {text}" for name, text in zip(names, texts, strict=True)]
