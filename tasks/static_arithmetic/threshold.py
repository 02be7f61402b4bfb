"""When a seed counts as a success: its extrapolation error is below that of an almost perfect network.

Madsen & Johansen 2019 (arXiv:1910.01888): the error, on the extrapolation range, of a network whose first-layer weights
are off by epsilon = 1e-5 everywhere (1 - epsilon where they should be 1, epsilon where they should be 0), followed by
the exact operation.
"""

from __future__ import annotations

from functools import cache

import torch

from tasks.static_arithmetic.data import Operation, Subsets, apply, spread

EPSILON = 1e-5
SAMPLES = 1_000_000
SEED = 1234


def published(subsets: Subsets) -> Subsets | None:
    """The subsets that published thresholds were simulated for: one element larger than those of the data set.

    None where those do not fit into the inputs.
    """
    larger = Subsets(subsets.inputs, subsets.size + 1, subsets.overlap + 1)
    return larger if larger.span <= larger.inputs else None


@cache
def threshold(op: Operation, subsets: Subsets, bounds: tuple[float, ...], epsilon: float = EPSILON) -> float:
    """The largest mean squared error on inputs from ``bounds`` that counts as solved; simulated in float64."""
    generator = torch.Generator().manual_seed(SEED)
    total, chunk = 0.0, 20_000
    for _ in range(SAMPLES // chunk):
        x = spread(torch.rand(chunk, subsets.inputs, generator=generator, dtype=torch.float64), bounds)
        everything = epsilon * x.sum(dim=1)
        a = x[:, : subsets.size].sum(dim=1)
        b = x[:, subsets.size - subsets.overlap : subsets.span].sum(dim=1)
        almost_a, almost_b = ((1 - 2 * epsilon) * part + everything for part in (a, b))
        total += (apply(op, almost_a, almost_b) - apply(op, a, b)).square().sum().item()
    return total / (SAMPLES // chunk * chunk)
