"""What one layer computes: as a matrix if it is additive, else as one text for each output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from nalu.formula.text import VISIBLE, decimal, mixture, product_of_blends, product_of_powers, scaled, weighted_sum
from nalu.units.mcfc import MCFC, MulMCFC
from nalu.units.nac import NAC, GumbelNAC, NACMul, NACMulSigma, SoftmaxNAC
from nalu.units.nalu import GNALU, INALU, NALU
from nalu.units.nau_nmu import NAU, NMRU, NMU, SNMU, GatedNAUNMU, NACMulNMU
from nalu.units.npu import NPU, RealNPU


@runtime_checkable
class HasFormula(Protocol):
    """A layer that gives its own formula."""

    def formula(self, names: Sequence[str]) -> list[str]:
        """One text for each output, as a function of the named inputs."""


ADDITIVE = (NAC, NAU, SoftmaxNAC, GumbelNAC, MCFC)


def additive_weights(layer: nn.Module) -> tuple[Tensor, Tensor | None] | None:
    """Weights ``(..., out, in)`` and bias ``(..., out)`` or None of an additive layer; None for other layers."""
    if isinstance(layer, nn.Linear):
        return layer.weight, layer.bias
    return (layer.W, None) if isinstance(layer, ADDITIVE) else None


def outputs(layer: nn.Module, names: Sequence[str]) -> list[str]:
    """The outputs of a layer that is not additive, as functions of named inputs.

    A layer of another package may have a method ``formula(names)`` that gives them; others appear by their name.
    """
    if isinstance(layer, HasFormula):
        return layer.formula(names)
    sizes = [f"|{name}|" for name in names]
    match layer:
        case NMU() | SNMU():
            return [product_of_blends(row, names) for row in rows(layer.W)]
        case NMRU():
            factors = [*names, *(f"(1 / {name})" for name in names)]
            return [product_of_blends(row, factors) for row in rows(layer.W)]
        case NACMul() | NACMulSigma() | NACMulNMU():
            return [product_of_powers(row, sizes) for row in rows(layer.W)]
        case MulMCFC():
            products = [product_of_powers(row, sizes) for row in rows(layer.mcfc.W)]
            return [scaled(scale, text) for scale, text in zip(layer.bias.exp().tolist(), products, strict=True)]
        case NPU() | RealNPU():
            return _powers(layer, names)
        case INALU():
            return _gated(_sums(layer, names), _products(layer, sizes), layer.gate_bias.sigmoid().tolist())
        case NALU() | GNALU():
            return _nalu(layer, names)
        case GatedNAUNMU():
            products = [product_of_blends(row, names) for row in rows(layer.nmu.W)]
            return _gated_by_input(_sums(layer.nau, names), products, rows(layer.G), names)
    return _by_name(layer, names)


def rows(W: Tensor) -> list[list[float]]:
    """A matrix as numbers."""
    found: list[list[float]] = W.detach().cpu().double().tolist()
    return found


def _sums(layer: NALU | GNALU | INALU | NAU, names: Sequence[str]) -> list[str]:
    return [weighted_sum(row, names) for row in rows(layer.W)]


def _products(layer: NALU | GNALU | INALU, sizes: Sequence[str]) -> list[str]:
    return [product_of_powers(row, sizes) for row in rows(layer.W_mul)]


def _nalu(layer: NALU | GNALU, names: Sequence[str]) -> list[str]:
    sums, products = _sums(layer, names), _products(layer, [f"|{name}|" for name in names])
    if layer.G is None:
        return _gated(sums, products, layer.gate_logits(layer.W).sigmoid().tolist())
    return _gated_by_input(sums, products, rows(layer.G), names, layer.gate_bias)


def _gated(sums: Sequence[str], products: Sequence[str], gates: Sequence[float]) -> list[str]:
    return [mixture(gate, a, m) for gate, a, m in zip(gates, sums, products, strict=True)]


def _gated_by_input(
    sums: Sequence[str],
    products: Sequence[str],
    G: Sequence[Sequence[float]],
    names: Sequence[str],
    bias: Tensor | None = None,
) -> list[str]:
    offsets = [0.0] * len(G) if bias is None else bias.tolist()
    return [
        f"g ({a}) + (1 - g) {m} with g = sigmoid({weighted_sum(row, names, offset)})"
        for a, m, row, offset in zip(sums, products, G, offsets, strict=True)
    ]


def _powers(layer: NPU | RealNPU, names: Sequence[str]) -> list[str]:
    """Products of powers of the inputs, as far as they are relevant. Signs are the unit's."""
    relevant = [product_of_blends([g], [name]) for g, name in zip(layer.g.clamp(0, 1).tolist(), names, strict=True)]
    kept = [number for number, base in enumerate(relevant) if base != "1"]
    texts = [product_of_powers([row[k] for k in kept], [relevant[k] for k in kept]) for row in rows(layer.W)]
    largest = 0.0 if layer.W_im is None else layer.W_im.abs().max().item()
    return (
        texts if largest < VISIBLE else [f"{text}, with imaginary exponents up to {decimal(largest)}" for text in texts]
    )


def _by_name(layer: nn.Module, names: Sequence[str]) -> list[str]:
    """A layer of another kind: by its name."""
    kind = type(layer).__name__
    count = getattr(layer, "out_features", None)
    if not isinstance(count, int):  # an activation
        return [f"{kind}({name})" for name in names]
    arguments = ", ".join(names) if len(names) <= 3 else f"{names[0]}..{names[-1]}"
    return [f"{kind}({arguments})" + (f"[{number}]" if count > 1 else "") for number in range(1, count + 1)]
