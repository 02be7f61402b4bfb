"""Thresholds: a seed is solved if its extrapolation error is below the error of an almost perfect network.

An almost perfect network computes the exact operation, but every weight is off by epsilon. Three published protocols
define the error of such a network for three kinds of problems.
"""

from __future__ import annotations

from functools import cache
from math import log1p

import numpy as np
import torch

from nalu.units import BinaryOperation
from tasks.arithmetic.problem import Operation, Subsets, apply, spread

SEED = 1234
"""Random seed of the simulations."""
SUBSET_EPSILON = 1e-5
SAMPLES = 1_000_000
SEQUENCE_EPSILON = 1e-5
SAMPLED_STEPS = 2_000_000
"""Number of samples times their length."""
UNIT_EPSILON = 1e-4


def published_subsets(subsets: Subsets) -> Subsets | None:
    """The subsets that published thresholds were simulated for: one element larger than those of the data set.

    None if these do not fit into the inputs.
    """
    larger = Subsets(subsets.inputs, subsets.size + 1, subsets.overlap + 1)
    return larger if larger.span <= larger.inputs else None


@cache
def of_subsets(op: Operation, subsets: Subsets, bounds: tuple[float, ...], epsilon: float = SUBSET_EPSILON) -> float:
    """The largest mean squared error that counts as solved, on inputs from ``bounds``; simulated in float64.

    Madsen & Johansen 2019 (arXiv:1910.01888): first-layer weights are off by epsilon everywhere (1 - epsilon where they
    should be 1, epsilon where they should be 0).
    """
    generator = torch.Generator().manual_seed(SEED)
    total, chunk = 0.0, 20_000
    # The published number of samples, and fewer where there are more than the published 100 inputs.
    chunks = SAMPLES * 100 // max(subsets.inputs, 100) // chunk
    for _ in range(chunks):
        x = spread(torch.rand(chunk, subsets.inputs, generator=generator, dtype=torch.float64), bounds)
        everything = epsilon * x.sum(dim=1)
        a = x[:, : subsets.size].sum(dim=1)
        b = x[:, subsets.size - subsets.overlap : subsets.span].sum(dim=1)
        almost_a, almost_b = ((1 - 2 * epsilon) * part + everything for part in (a, b))
        total += (apply(op, almost_a, almost_b) - apply(op, a, b)).square().sum().item()
    return total / (chunks * chunk)


@cache
def of_sequences(
    op: Operation, subsets: Subsets, length: int, bounds: tuple[float, float], epsilon: float = SEQUENCE_EPSILON
) -> float:
    """The largest mean squared error that counts as solved, on sequences of ``length``; simulated in float64.

    Hoedt et al. 2021 (arXiv:2101.05186): input weights are off by epsilon as for :func:`of_subsets`, and recurrent
    weights are 1 - epsilon instead of 1.
    """
    low, high = bounds
    generator = torch.Generator().manual_seed(SEED)
    chunks, chunk = 100, SAMPLED_STEPS // 100 // length
    decay = (1 - epsilon) ** torch.arange(length - 1, -1, -1, dtype=torch.float64).unsqueeze(-1)
    total = 0.0
    for _ in range(chunks):
        x = torch.rand(chunk, length, subsets.inputs, generator=generator, dtype=torch.float64) * (high - low) + low
        exact, decayed = x.sum(dim=1), (decay * x).sum(dim=1)
        parts = slice(0, subsets.size), slice(subsets.size - subsets.overlap, subsets.span)
        a, b = (exact[:, part].sum(dim=1) for part in parts)
        almost_a, almost_b = (
            (1 - 2 * epsilon) * decayed[:, part].sum(dim=1) + epsilon * decayed.sum(dim=1) for part in parts
        )
        total += (apply(op, almost_a, almost_b) - apply(op, a, b)).square().sum().item()
    return total / (chunks * chunk)


def of_unit(op: BinaryOperation, bounds: tuple[float, ...], inputs: int = 2, epsilon: float = UNIT_EPSILON) -> float:
    """The largest mean squared error of one unit that counts as solved, on inputs from ``bounds``; a closed form.

    Mistry et al. 2022 (arXiv:2101.09530) simulate the error of a unit whose weights are all off by epsilon; these are
    the exact expectations. With two inputs a, b that matter among ``inputs`` independent ones, the almost perfect unit
    outputs

    ======== ==========================================================================================
    add, sub the exact result less epsilon times the sum of all \\|x\\|: all weights are off in one direction
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
