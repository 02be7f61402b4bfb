"""Verdicts: whether a published figure holds over our seeds, by a fixed rule on intervals.

The summary of the report counts the verdicts of every table that has a column ``verdict``. The notes of a table list
what was changed from the published setting. Of such changes, only fewer steps affect a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any

COLUMN = "verdict"
TOLERANCE = 0.05
"""Rounding to two digits can change a published error by this fraction."""
LEVEL = 0.05
"""The probability, for a whole table, that some rate is called different though none is."""
SUCCESS = 0.5
"""A rate below this is a failure, which more training steps might have prevented."""
LEAST_SEEDS_OF_RATES = 10
"""The fewest seeds for a verdict on rates: 0 of 9 and 50 % cannot be told from each other by much."""
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
    f"Verdict on a rate: Fisher's exact test of the two counts, at {100 * LEVEL:g} % divided by the number of "
    "comparisons in the table. Reproduced where the rates do not differ, better where ours is higher, not reproduced "
    f"where it is lower; undecided with fewer than {LEAST_SEEDS_OF_RATES} seeds. After fewer training steps than "
    f"published, a lower rate decides nothing, and neither does an equal one below {100 * SUCCESS:g} %: undecided."
)
ERROR_RULE = (
    "Verdict on an error: reproduced where the published figure lies in the 95 % interval of our median, widened by "
    f"{100 * TOLERANCE:g} % on both sides, better where ours lies below the figure, not reproduced where it lies "
    f"above; undecided with fewer than {LEAST_SEEDS} seeds."
)


def of_rate(ours: Mapping[str, Any], count: int, of: int, *, share_of_steps: float = 1.0, comparisons: int = 1) -> str:
    """The verdict on a success rate (higher is better): a Verdict, which a text may follow after a comma.

    Args:
        ours: a rate of summary.json.
        count, of: the published number of successes, and of seeds.
        share_of_steps: our training steps as a fraction of the published ones.
        comparisons: the number of rates in the table that are compared with published ones.
    """
    if ours["of"] < LEAST_SEEDS_OF_RATES:
        return Verdict.UNDECIDED
    differ = p_value(ours["count"], ours["of"], count, of) < LEVEL / comparisons
    is_higher = ours["count"] * of > count * ours["of"]
    if differ and is_higher:
        return Verdict.BETTER
    if share_of_steps < 1 and (differ or ours["rate"] < SUCCESS):
        return f"{Verdict.UNDECIDED}, {100 * share_of_steps:.2g} % of the steps"
    return Verdict.NOT_REPRODUCED if differ else Verdict.REPRODUCED


@cache
def p_value(count: int, of: int, other_count: int, other_of: int) -> float:
    """Of Fisher's exact test, two-sided, that two success rates are equal."""
    from scipy import stats  # takes a second to import

    return float(stats.fisher_exact([[count, of - count], [other_count, other_of - other_count]]).pvalue)


def verdict_of(cell: str) -> Verdict | None:
    """The verdict in a cell of a table, whatever text follows it; None if there is none."""
    return next((entry for entry in Verdict if cell == entry or cell.startswith(f"{entry}, ")), None)


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
