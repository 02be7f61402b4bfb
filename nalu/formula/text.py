"""Sums, products and powers as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

VISIBLE = 5e-4
"""A smaller distance to a whole number is not shown."""


def decimal(value: float) -> str:
    """A number with at most three decimals."""
    if not math.isfinite(value):
        return str(value)
    if abs(value - round(value)) < VISIBLE:
        return str(round(value))
    return f"{value:.3f}".rstrip("0") if abs(value) < 1e6 else f"{value:.4g}"


def weighted_sum(weights: Sequence[float], names: Sequence[str], bias: float = 0.0) -> str:
    """A weighted sum. Three and more successive names with the same weight are folded: ``2 sum(x3..x27)``.

    >>> weighted_sum([1, 1, 1, 0, -0.5], ["x1", "x2", "x3", "x4", "x5"])
    'sum(x1..x3) - 0.5 x5'
    """
    terms: list[str] = []
    for weight, group in groupby(zip(map(decimal, weights), names, strict=True), key=lambda pair: pair[0]):
        of_group = [name for _, name in group]
        if weight == "0":
            continue
        folded = of_group if len(of_group) < 3 else [f"sum({of_group[0]}..{of_group[-1]})"]
        size = weight.removeprefix("-")
        factor = "" if size == "1" else f"{size} "
        terms += [f"{'-' if weight.startswith('-') else '+'} {factor}{name}" for name in folded]
    if (offset := decimal(bias)) != "0" or not terms:
        terms.append(f"- {offset[1:]}" if offset.startswith("-") else f"+ {offset}")
    text = " ".join(terms)
    return text.removeprefix("+ ") if text.startswith("+") else f"-{text.removeprefix('- ')}"


def product_of_powers(exponents: Sequence[float], bases: Sequence[str]) -> str:
    """A product of powers, those with negative exponents below the line.

    >>> product_of_powers([1, -1, 0, 0.5], ["a", "b", "c", "d"])
    'a * d^0.5 / b'
    """
    above: list[str] = []
    below: list[str] = []
    for exponent, base in zip(map(decimal, exponents), bases, strict=True):
        size = exponent.removeprefix("-")
        if exponent != "0":
            (below if exponent.startswith("-") else above).append(base if size == "1" else f"{base}^{size}")
    numerator = " * ".join(above) or "1"
    if not below:
        return numerator
    return f"{numerator} / {below[0]}" if len(below) == 1 else f"{numerator} / ({' * '.join(below)})"


def product_of_blends(weights: Sequence[float], factors: Sequence[str]) -> str:
    """The product of ``w z + 1 - w`` over factors z: a weight of 1 keeps a factor, a weight of 0 drops it.

    >>> product_of_blends([1, 0, 0.9], ["a", "b", "c"])
    'a * (0.9 c + 0.1)'
    """
    parts = []
    for weight, factor in zip(weights, factors, strict=True):
        shown = decimal(weight)
        if shown != "0":
            parts.append(factor if shown == "1" else f"({shown} {factor} + {decimal(1 - weight)})")
    return " * ".join(parts) or "1"


def mixture(gate: float, a: str, m: str) -> str:
    """``g a + (1 - g) m``, or one of the two where the gate is 1 or 0.

    >>> mixture(0.25, "x1 + x2", "x1 * x2")
    '0.25 (x1 + x2) + 0.75 x1 * x2'
    """
    shown = decimal(gate)
    return a if shown == "1" else m if shown == "0" else f"{shown} ({a}) + {decimal(1 - gate)} {m}"


def scaled(scale: float, text: str) -> str:
    """A text with a factor before it, unless it is 1."""
    return text if decimal(scale) == "1" else f"{decimal(scale)} {text}"
