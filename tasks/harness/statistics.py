"""Statistics over seeds: rates with Wilson intervals, medians with distribution-free ones."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

CONFIDENCE = 0.95


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


def bounded_mean(
    values: np.ndarray, bounds: tuple[float, float], level: float = 1 - CONFIDENCE
) -> tuple[float, float, float]:
    """The mean over seeds of values that lie between two bounds, and its confidence interval.

    The interval is Student's t interval of the values and one further value at each bound. Bonett & Price (2012)
    add such a pair for the difference of paired proportions. It stays wide where all seeds agree. At the small levels
    of many comparisons, a bootstrap of 10 seeds would reject a true zero 6 times too often.

    Args:
        values: one value per seed, ``(S,)``.
        bounds: the lowest and the highest possible value.
        level: the probability that the interval misses the true mean.
    """
    from scipy import stats  # takes a second to import; most commands do not need it

    extended = np.append(values, bounds)
    reach = float(stats.sem(extended) * stats.t.ppf(1 - level / 2, max(len(values) - 1, 1)))
    centre = float(extended.mean())
    return float(values.mean()), max(centre - reach, bounds[0]), min(centre + reach, bounds[1])


def paired_difference(ours: np.ndarray, theirs: np.ndarray, level: float) -> tuple[float, float, float]:
    """The mean difference of two successes in [0, 1] over the same seeds, and its confidence interval.

    Args:
        ours, theirs: one value per seed, ``(S,)``, in the order of the seeds; NaN counts as 0.
        level: the probability that the interval misses the true difference.
    """
    return bounded_mean(np.nan_to_num(ours) - np.nan_to_num(theirs), (-1.0, 1.0), level)


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
