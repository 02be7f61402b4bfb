"""Intervals agree with closed forms, tables and simulation."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from tasks.harness.statistics import describe, median_interval_rank, rate


@pytest.mark.parametrize(("count", "of"), [(0, 10), (3, 10), (10, 10), (98, 100)])
def test_wilson_interval_in_closed_form(count: int, of: int) -> None:
    z = 1.959963984540054
    p = count / of
    centre = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    result = rate(np.arange(of) < count)
    assert result["count"] == count
    assert result["of"] == of
    assert result["low"] == pytest.approx(max(centre - half, 0), abs=1e-12)
    assert result["high"] == pytest.approx(min(centre + half, 1), abs=1e-12)


@pytest.mark.parametrize(("n", "rank"), [(1, 0), (5, 0), (6, 0), (9, 1), (10, 1), (20, 5), (25, 7), (100, 39)])
def test_ranks_of_the_median_interval_are_those_of_the_sign_test(n: int, rank: int) -> None:
    """Tabulated: for n = 10 the 2nd and 9th values, for 20 the 6th and 15th, for 25 the 8th and 18th."""
    assert median_interval_rank(n) == rank


@pytest.mark.parametrize("n", [6, 10, 25, 40])
def test_the_median_interval_covers_as_often_as_the_binomial_distribution_says(n: int) -> None:
    """It misses the median when at most ``rank`` of n values, each below it with probability 1/2, lie on one side."""
    rng = np.random.default_rng(n)
    intervals = [describe(rng.exponential(size=n)) for _ in range(2000)]
    covered = np.mean([i["low"] <= math.log(2) <= i["high"] for i in intervals])
    expected = 1 - 2 * stats.binom.cdf(median_interval_rank(n), n, 0.5)
    assert expected >= 0.95
    assert covered == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 2000))


def test_description_of_known_values() -> None:
    result = describe(np.arange(11.0))
    assert result == {"median": 5, "p10": 1, "p90": 9, "mean": 5, "low": 1, "high": 9}


def test_diverged_seeds_rank_last_and_missing_values_are_left_out() -> None:
    values = np.array([1.0, 2.0, 3.0, np.inf, np.inf, np.nan])
    result = describe(values)
    assert result["median"] == 3
    assert result["p90"] is result["mean"] is result["high"] is None
    assert result["low"] == 1
    assert describe(np.array([np.inf] * 3))["median"] is None
    assert set(describe(np.array([np.nan])).values()) == {None}
    json.dumps(result, allow_nan=False)


def test_a_single_seed() -> None:
    assert set(describe(np.array([4.0])).values()) == {4.0}
