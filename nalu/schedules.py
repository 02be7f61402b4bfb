"""What grows or decays over a run: learning rates and the weights of penalties."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Ramp:
    """A weight that grows linearly; times are parts of the run, 0 to 1.

    weight * clip((t - start) / (end - start), 0, 1) (Madsen & Johansen 2020).
    """

    weight: float
    start: float
    end: float

    def __call__(self, progress: float) -> float:
        """The weight at a part of the run."""
        if progress >= self.end:
            return self.weight
        if progress <= self.start:
            return 0.0
        return self.weight * (progress - self.start) / (self.end - self.start)


@dataclass(frozen=True)
class Tenfold:
    """A weight that is multiplied by ten at regular parts of the run, from ``first`` up to ``last``.

    (Heim et al. 2020; Mistry et al. 2022.)
    """

    first: float
    last: float
    every: float

    def __call__(self, progress: float) -> float:
        """The weight at a part of the run."""
        # The small number: whole multiples of ``every`` are rarely whole in floating point.
        return min(self.first * 10.0 ** int(progress / self.every + 1e-9), self.last)


Schedule = Ramp | Tenfold


def cosine(step: int, steps: int, warm_up: float = 0.0) -> float:
    """Linear growth over the first part of a run (``warm_up``, of 1), times cosine decay from 1 to 0 over all of it."""
    progress = step / steps
    grown = min(progress / warm_up, 1.0) if warm_up else 1.0
    return grown * (0.5 + 0.5 * math.cos(math.pi * progress))


def ramp(step: int, steps: int, start: float, end: float) -> float:
    """0 before ``start``, 1 after ``end`` (parts of the run, of 1), linear growth between."""
    return min(max((step / steps - start) / (end - start), 0.0), 1.0)
