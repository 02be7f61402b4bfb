"""The published figures to compare with: the best single unit of each operation, which lacks our priors."""

from __future__ import annotations

from tasks.arithmetic.problem import Operation
from tasks.arithmetic.published import MADSEN_JOHANSEN, SEEDS, successes


def best_single_unit(op: Operation) -> tuple[str, int, int]:
    """The unit with the most published successes on an operation, its successes, and its number of seeds."""
    counts = {cell: successes(cell, op) or 0 for cell in MADSEN_JOHANSEN}
    best = max(counts, key=lambda cell: counts[cell])
    return best, counts[best], SEEDS
