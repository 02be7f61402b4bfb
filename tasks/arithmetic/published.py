"""Published successes of single units on subset sums."""

from __future__ import annotations

from tasks.arithmetic.problem import OPERATIONS, Operation

SEEDS = 100
STEPS = 5_000_000
MADSEN_JOHANSEN: dict[str, tuple[int, ...]] = {
    "linear": (100, 7, 0, 0, 0, 0),
    "relu": (62, 0, 0, 0, 0, 0),
    "relu6": (0, 0, 0, 0, 0, 0),
    "nac": (100, 100, 0, 0, 0, 0),
    "nac-mul": (0, 0, 31, 0, 77, 7),
    "nalu": (14, 14, 0, 0, 0, 2),
    "nau": (100, 100, 0, 0, 0, 0),
    "nmu": (0, 56, 98, 0, 100, 0),
}
"""Seeds, out of SEEDS, that solve each of OPERATIONS after STEPS: Madsen & Johansen 2020 (arXiv:2001.05016)."""


def successes(cell: str, op: Operation) -> int | None:
    """Published successes of a unit, out of SEEDS; None for a unit that was not studied."""
    return MADSEN_JOHANSEN[cell][OPERATIONS.index(op)] if cell in MADSEN_JOHANSEN else None
