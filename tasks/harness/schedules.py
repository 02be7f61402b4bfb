"""What grows or decays over a run: learning rates and weights of penalties, as factors of their full value."""

from __future__ import annotations

import math


def cosine(step: int, steps: int, warm_up: float = 0.0) -> float:
    """Linear growth over the first part of a run (``warm_up``, of 1), times cosine decay from 1 to 0 over all of it."""
    progress = step / steps
    grown = min(progress / warm_up, 1.0) if warm_up else 1.0
    return grown * (0.5 + 0.5 * math.cos(math.pi * progress))


def ramp(step: int, steps: int, start: float, end: float) -> float:
    """0 before ``start``, 1 after ``end`` (parts of the run, of 1), linear growth between."""
    return min(max((step / steps - start) / (end - start), 0.0), 1.0)
