"""When a seed counts as a success at a test length: its error is below that of an almost perfect network.

Hoedt et al. 2021 (arXiv:2101.05186), after Madsen & Johansen: input weights off by epsilon = 1e-5 everywhere (1 -
epsilon where they should be 1, epsilon where they should be 0), recurrent weights of 1 - epsilon in place of 1, the
operation exact.
"""

from __future__ import annotations

from functools import cache

import torch

from tasks.recurrent_arithmetic.data import HIGH, LOW
from tasks.static_arithmetic.data import Operation, Subsets, apply

EPSILON = 1e-5
SAMPLED_STEPS = 2_000_000
"""Samples times their length."""
SEED = 1234


@cache
def threshold(op: Operation, subsets: Subsets, length: int, epsilon: float = EPSILON) -> float:
    """The largest mean squared error on sequences of ``length`` that counts as solved; simulated in float64."""
    generator = torch.Generator().manual_seed(SEED)
    chunks, chunk = 100, SAMPLED_STEPS // 100 // length
    decay = (1 - epsilon) ** torch.arange(length - 1, -1, -1, dtype=torch.float64).unsqueeze(-1)
    total = 0.0
    for _ in range(chunks):
        x = torch.rand(chunk, length, subsets.inputs, generator=generator, dtype=torch.float64) * (HIGH - LOW) + LOW
        exact, decayed = x.sum(dim=1), (decay * x).sum(dim=1)
        parts = slice(0, subsets.size), slice(subsets.size - subsets.overlap, subsets.span)
        a, b = (exact[:, part].sum(dim=1) for part in parts)
        almost_a, almost_b = (
            (1 - 2 * epsilon) * decayed[:, part].sum(dim=1) + epsilon * decayed.sum(dim=1) for part in parts
        )
        total += (apply(op, almost_a, almost_b) - apply(op, a, b)).square().sum().item()
    return total / (chunks * chunk)
