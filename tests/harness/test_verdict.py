"""Verdicts follow their definitions on known intervals."""

import math

import numpy as np
import pytest

from tasks.harness.statistics import rate
from tasks.harness.verdict import (
    LEAST_SEEDS,
    TOLERANCE,
    Verdict,
    of_bound,
    of_error,
    of_order,
    of_rate,
    p_value,
    verdict_of,
)

SEEDS = LEAST_SEEDS


def error(low: float | None, median: float | None, high: float | None) -> dict[str, float | None]:
    return {"low": low, "median": median, "high": high}


@pytest.mark.parametrize(
    ("ours", "of", "published", "expected"),
    [
        (10, 10, 100, Verdict.REPRODUCED),
        (0, 10, 14, Verdict.REPRODUCED),
        (10, 10, 7, Verdict.BETTER),
        (4, 10, 100, Verdict.NOT_REPRODUCED),
        (0, 10, 98, Verdict.NOT_REPRODUCED),
        (9, 9, 7, Verdict.UNDECIDED),  # too few seeds
        (0, 9, 0, Verdict.UNDECIDED),
        (20, 25, 98, Verdict.NOT_REPRODUCED),  # p = 0.0031: the Wilson intervals, [61, 91] and [93, 99], do not overlap
        (21, 25, 98, Verdict.NOT_REPRODUCED),  # p = 0.0145, though they are [65, 94] and [93, 99]
        (22, 25, 98, Verdict.REPRODUCED),  # p = 0.055
    ],
)
def test_rates(ours: int, of: int, published: int, expected: Verdict) -> None:
    assert of_rate(rate(np.arange(of) < ours), published, of=100) is expected


def test_fishers_exact_test_by_hand() -> None:
    """Tables with the margins of 3 of 3 against 0 of 3: 1, 9, 9 and 1 of the 20 ways; two are as extreme."""
    assert p_value(3, 3, 0, 3) == pytest.approx(2 / 20)
    assert p_value(2, 3, 1, 3) == pytest.approx(1.0)


def test_more_comparisons_need_a_larger_difference() -> None:
    ours = rate(np.arange(25) < 21)
    assert of_rate(ours, 98, of=100, comparisons=3) is Verdict.NOT_REPRODUCED  # 0.0145 < 0.05 / 3
    assert of_rate(ours, 98, of=100, comparisons=4) is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("ours", "published", "expected"),
    [
        (25, 100, Verdict.REPRODUCED),
        (25, 14, Verdict.BETTER),
        (0, 98, "undecided, 1 % of the steps"),
        (0, 0, "undecided, 1 % of the steps"),
        (3, 14, "undecided, 1 % of the steps"),
        (15, 100, "undecided, 1 % of the steps"),
    ],
)
def test_fewer_steps_than_published_decide_nothing_about_failures(ours: int, published: int, expected: str) -> None:
    found = of_rate(rate(np.arange(25) < ours), published, of=100, share_of_steps=0.01)
    assert found == expected
    assert verdict_of(found) is (Verdict.UNDECIDED if "," in expected else expected)
    assert of_rate(rate(np.arange(25) < ours), published, of=100) in (
        Verdict.REPRODUCED, Verdict.NOT_REPRODUCED, Verdict.BETTER
    )  # fmt: skip


def test_the_verdict_in_a_cell() -> None:
    assert verdict_of("not reproduced") is Verdict.NOT_REPRODUCED
    assert verdict_of("–") is Verdict.NO_FIGURE
    assert verdict_of("reproducedly") is None


def test_errors() -> None:
    ours = error(2.0, 3.0, 4.0)
    for published in (2.0, 3.0, 4.0, 2.0 * (1 - TOLERANCE), 4.0 * (1 + TOLERANCE)):
        assert of_error(ours, published, SEEDS) is Verdict.REPRODUCED
    assert of_error(ours, 4.0 * (1 + TOLERANCE) + 1e-9, SEEDS) is Verdict.BETTER
    assert of_error(ours, 2.0 * (1 - TOLERANCE) - 1e-9, SEEDS) is Verdict.NOT_REPRODUCED
    assert of_error(ours, 1e9, SEEDS - 1) is Verdict.UNDECIDED


def test_a_diverged_median_is_infinite() -> None:
    assert of_error(error(None, None, None), 1e30, SEEDS) is Verdict.NOT_REPRODUCED
    assert of_error(error(1.0, 2.0, None), 5.0, SEEDS) is Verdict.REPRODUCED
    assert of_bound(error(0.0, 0.5, None), 1.0, SEEDS) is Verdict.UNDECIDED
    assert of_order(error(1.0, 2.0, 3.0), [error(None, None, None)], SEEDS) is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (error(0.0, 0.5, 1.0), Verdict.REPRODUCED),
        (error(0.0, 0.5, 1.1), Verdict.UNDECIDED),
        (error(0.0, 1.1, math.inf), Verdict.NOT_REPRODUCED),
        (error(2.0, 3.0, 4.0), Verdict.NOT_REPRODUCED),
    ],
)
def test_bounds(ours: dict[str, float | None], expected: Verdict) -> None:
    assert of_bound(ours, 1.0, SEEDS) is expected
    assert of_bound(ours, 1.0, SEEDS - 1) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (error(3.1, 4.0, 5.0), Verdict.REPRODUCED),
        (error(2.5, 4.0, 5.0), Verdict.UNDECIDED),
        (error(0.5, 1.9, 5.0), Verdict.NOT_REPRODUCED),
    ],
)
def test_orders(other: dict[str, float | None], expected: Verdict) -> None:
    ours, far = error(1.0, 2.0, 3.0), error(8.0, 9.0, 10.0)
    assert of_order(ours, [far, other], SEEDS) is expected
    assert of_order(ours, [far], SEEDS - 1) is Verdict.UNDECIDED
