"""Verdicts follow their definitions on known intervals."""

import math

import numpy as np
import pytest

from tasks.harness.statistics import rate
from tasks.harness.verdict import LEAST_SEEDS, TOLERANCE, Verdict, of_bound, of_error, of_order, of_rate

SEEDS = LEAST_SEEDS


def error(low: float | None, median: float | None, high: float | None) -> dict[str, float | None]:
    return {"low": low, "median": median, "high": high}


@pytest.mark.parametrize(
    ("ours", "published", "expected"),
    [
        (10, 100, Verdict.REPRODUCED),  # 10 of 10 is [72, 100]
        (0, 14, Verdict.REPRODUCED),  # 0 of 10 is [0, 28], 14 of 100 is [9, 22]
        (10, 7, Verdict.BETTER),  # 7 of 100 is [3, 14]
        (4, 100, Verdict.NOT_REPRODUCED),  # 4 of 10 is [17, 69], 100 of 100 is [96, 100]
        (0, 98, Verdict.NOT_REPRODUCED),
    ],
)
def test_rates(ours: int, published: int, expected: Verdict) -> None:
    assert of_rate(rate(np.arange(10) < ours), published, of=100) is expected


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
