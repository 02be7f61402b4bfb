"""When a seed counts as a success: its extrapolation error is below that of an almost perfect unit.

Mistry et al. 2022 (arXiv:2101.09530), after Madsen & Johansen 2019: every weight is off by epsilon. Where they simulate
the error of that unit on the extrapolation range, these are its exact expectations.
"""

from __future__ import annotations

from math import log1p

import numpy as np

from nalu.units.catalogue import BinaryOperation

EPSILON = 1e-4
STRICT_EPSILON = 1e-5


def threshold(op: BinaryOperation, bounds: tuple[float, ...], inputs: int = 2, epsilon: float = EPSILON) -> float:
    """The largest mean squared error on inputs from ``bounds`` that counts as solved.

    With two inputs a, b that matter among ``inputs`` independent ones, the almost perfect unit answers

    ======== ==========================================================================================
    add, sub the exact result less epsilon times the sum of all \\|x\\|: every weight is off, to the same side
    mul      (1 - epsilon)^2 a b, times 1 - epsilon \\|x\\| for every other input
    div      (1 - epsilon) / (1 + epsilon) a / b, times the same for every other input
    ======== ==========================================================================================

    Args:
        bounds: ``(low, high)`` on one side of zero, or two such intervals, each of half the inputs.
    """
    low, high = np.array(bounds).reshape(-1, 2).T
    mean = np.mean(np.abs(low + high) / 2)  # of |x|
    square = np.mean((low * low + low * high + high * high) / 3)
    inverse_square = np.mean(1 / (low * high))
    if op in ("add", "sub"):
        return float(epsilon**2 * inputs * (square + (inputs - 1) * mean**2))
    others = inputs - 2
    exact = square**2 if op == "mul" else square * inverse_square
    factor = 1 - epsilon if op == "mul" else 1 / (1 + epsilon)
    scale = (1 - epsilon) * factor
    # The relative error is scale P - 1, where P is the product over the other inputs: bias and variance.
    average = np.exp(others * log1p(-epsilon * mean))
    spread = epsilon**2 * (square - mean**2) / (1 - epsilon * mean) ** 2
    variance = (scale * average) ** 2 * np.expm1(others * log1p(spread))
    return float(exact * ((scale * average - 1) ** 2 + variance))
