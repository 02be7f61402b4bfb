"""Statistics over seeds: rates with Wilson intervals, medians with distribution-free ones."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10_000
"""Of a bootstrap."""


def rate(successes: np.ndarray) -> dict[str, float | int]:
    """A success rate with its Wilson 95 % interval.

    Args:
        successes: one bool per seed, for at least one seed.
    """
    count, of = int(np.sum(successes)), len(successes)
    low, high = _wilson(count, of)
    return {"count": count, "of": of, "rate": count / of, "low": low, "high": high}


@cache
def _wilson(count: int, of: int) -> tuple[float, float]:
    from scipy import stats  # takes a second to import; most commands do not need it

    interval = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def describe(values: np.ndarray) -> dict[str, float | None]:
    """Median, 10th and 90th percentile, mean, and a 95 % interval of the median.

    The interval is distribution-free: it uses order statistics and inverts the sign test. With fewer than 6 values no
    such interval reaches 95 %, and the range of the values is given (93.75 % for 5). inf (a diverged seed) counts as
    the worst value; NaN (no value) is ignored. A result is None if it is not finite or if there are no values.
    """
    x = np.sort(values[~np.isnan(values)].astype(np.float64))
    if not len(x):
        return dict.fromkeys(("median", "p10", "p90", "mean", "low", "high"))
    rank = median_interval_rank(len(x))
    result = {
        "median": _quantile(x, 0.5),
        "p10": _quantile(x, 0.1),
        "p90": _quantile(x, 0.9),
        "mean": float(np.mean(x)),
        "low": float(x[rank]),
        "high": float(x[-1 - rank]),
    }
    return {name: value if math.isfinite(value) else None for name, value in result.items()}


def paired_difference(ours: np.ndarray, theirs: np.ndarray, level: float) -> tuple[float, float, float]:
    """The mean difference of two successes in [0, 1] over the same seeds, and its confidence interval.

    The interval is that of the bootstrap over seeds (percentiles of 10 000 resamples). Where the difference is equal on
    all seeds, resampling shows no spread; the interval then reaches as far on both sides as the Wilson interval of no
    success among as many seeds.

    Args:
        ours, theirs: one value per seed, ``(S,)``, in the order of the seeds; NaN counts as 0.
        level: the probability that the interval misses the true difference.
    """
    difference = np.nan_to_num(ours) - np.nan_to_num(theirs)
    seeds, mean = len(difference), float(difference.mean())
    if np.ptp(difference) == 0:
        from scipy import stats

        reach = float(stats.binomtest(0, seeds).proportion_ci(1 - level, method="wilson").high)
        return mean, max(mean - reach, -1.0), min(mean + reach, 1.0)
    drawn = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    low, high = np.quantile(difference[drawn].mean(axis=1), [level / 2, 1 - level / 2])
    return mean, float(low), float(high)


def bands(values: np.ndarray) -> np.ndarray:
    """10th percentile, median and 90th percentile over seeds, ``(..., S)`` to ``(3, ...)``.

    A NaN (a diverged seed) ranks as the largest value.
    """
    ranked = np.where(np.isnan(values), np.inf, values)
    return np.quantile(ranked, [0.1, 0.5, 0.9], axis=-1, method="nearest")


@cache
def median_interval_rank(n: int) -> int:
    """The r for which [x_(r), x_(n-1-r)] of n sorted values (from 0) is the narrowest 95 % interval of the median."""
    from scipy import stats

    return max(int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5)) - 1, 0)


def _quantile(x: np.ndarray, q: float) -> float:
    # Interpolation between a finite value and inf is inf, not NaN.
    position = q * (len(x) - 1)
    low, high = x[math.floor(position)], x[math.ceil(position)]
    return float(low if low == high else low + (high - low) * (position % 1))
