"""The nine ranges of the benchmark: where a unit is trained, and where it is tested (Mistry et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Range:
    """Uniform inputs; each is ``(low, high)``, or ``(low, high, low, high)`` for two intervals of one width."""

    train: tuple[float, float]
    test: tuple[float, ...]
    """One side of zero, or two intervals that mirror each other."""

    @property
    def name(self) -> str:
        """The training interval, in characters that need no escaping in command lines, CSV files and TensorBoard."""
        low, high = self.train
        return f"U{low:g}..{high:g}"


RANGES = {
    bounds.name: bounds
    for bounds in (
        Range((-20, -10), (-40, -20)),
        Range((-2, -1), (-6, -2)),
        Range((-1.2, -1.1), (-6.1, -1.2)),
        Range((-0.2, -0.1), (-2, -0.2)),
        Range((-2, 2), (-6, -2, 2, 6)),
        Range((0.1, 0.2), (0.2, 2)),
        Range((1, 2), (2, 6)),
        Range((1.1, 1.2), (1.2, 6)),
        Range((10, 20), (20, 40)),
    )
}
"""Name to range, in the order of the tables."""

RangeName = Literal[*RANGES]  # type: ignore[valid-type]  # the names are data
"""The names, as the type of an option."""
