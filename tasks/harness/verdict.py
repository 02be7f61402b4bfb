"""Verdicts: whether a published figure holds over our seeds, by a fixed rule on intervals.

The summary of the report counts the verdicts of every table that has a column ``verdict``. The notes of a table list
what was changed from the published setting (steps, optimiser); such changes do not affect a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from tasks.harness.statistics import rate

COLUMN = "verdict"
TOLERANCE = 0.05
"""Rounding to two digits can change a published error by this fraction."""
LEAST_SEEDS = 5
"""The fewest seeds for a verdict on errors.

The range of five values covers the median in 94 of 100 cases, the range of fewer values in at most 88.
"""


class Verdict(StrEnum):
    """How our result compares with a published figure."""

    REPRODUCED = "reproduced"
    BETTER = "better"
    NOT_REPRODUCED = "not reproduced"
    UNDECIDED = "undecided"
    """Too few seeds, or seeds that disagree too much."""
    NOT_COMPARABLE = "not comparable"
    """The data or the problem differ."""
    NO_FIGURE = "–"
    """No figure was published."""


RATE_RULE = (
    "Verdict on a rate: reproduced where our Wilson 95 % interval and that of the published count overlap, better "
    "where ours lies above, not reproduced where it lies below. Few seeds make wide intervals, which overlap with much."
)
ERROR_RULE = (
    "Verdict on an error: reproduced where the published figure lies in the 95 % interval of our median, widened by "
    f"{100 * TOLERANCE:g} % on both sides, better where ours lies below the figure, not reproduced where it lies "
    f"above; undecided with fewer than {LEAST_SEEDS} seeds."
)


def of_rate(ours: Mapping[str, Any], count: int, of: int) -> Verdict:
    """The verdict on a success rate (higher is better).

    Args:
        ours: a rate of summary.json.
        count, of: the published number of successes, and of seeds.
    """
    theirs = rate(np.arange(of) < count)
    if ours["low"] > theirs["high"]:
        return Verdict.BETTER
    return Verdict.NOT_REPRODUCED if ours["high"] < theirs["low"] else Verdict.REPRODUCED


def of_error(ours: Mapping[str, Any], published: float, seeds: int) -> Verdict:
    """The verdict on an error (lower is better).

    Args:
        ours: a metric of summary.json.
        published: one figure, without an interval.
        seeds: our number of seeds.
    """
    if seeds < LEAST_SEEDS:
        return Verdict.UNDECIDED
    if _end(ours, "high") * (1 + TOLERANCE) < published:
        return Verdict.BETTER
    return Verdict.NOT_REPRODUCED if _end(ours, "low") * (1 - TOLERANCE) > published else Verdict.REPRODUCED


def of_bound(ours: Mapping[str, Any], bound: float, seeds: int) -> Verdict:
    """The verdict on an error published as a bound ("near 0"): reproduced if our whole interval is within the bound.

    Args:
        ours: a metric of summary.json.
        seeds: our number of seeds.
    """
    if seeds >= LEAST_SEEDS and _end(ours, "high") <= bound:
        return Verdict.REPRODUCED
    return Verdict.NOT_REPRODUCED if seeds >= LEAST_SEEDS and _end(ours, "median") > bound else Verdict.UNDECIDED


def of_order(smaller: Mapping[str, Any], larger: Sequence[Mapping[str, Any]], seeds: int) -> Verdict:
    """The verdict on a published order: reproduced if one interval, not only its median, lies below all others.

    Args:
        smaller: a metric of summary.json, published as smaller than each of ``larger``.
        seeds: the number of seeds of each.
    """
    if seeds >= LEAST_SEEDS and all(_end(smaller, "high") < _end(other, "low") for other in larger):
        return Verdict.REPRODUCED
    right = all(_end(smaller, "median") < _end(other, "median") for other in larger)
    return Verdict.UNDECIDED if right or seeds < LEAST_SEEDS else Verdict.NOT_REPRODUCED


def _end(ours: Mapping[str, Any], name: str) -> float:
    """The median or an end of its interval; None (not finite) becomes infinity."""
    return math.inf if ours[name] is None else ours[name]
