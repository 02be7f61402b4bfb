"""Schedules at points where their value is known."""

import pytest

from nalu.schedules import cosine, ramp


def test_cosine_decays_from_1_to_0() -> None:
    assert [cosine(step, 1000) for step in (0, 500, 1000)] == pytest.approx([1, 0.5, 0])


def test_warm_up_grows_linearly_into_the_decay() -> None:
    assert cosine(0, 1000, warm_up=0.2) == 0
    assert cosine(100, 1000, warm_up=0.2) == pytest.approx(cosine(100, 1000) / 2)
    assert cosine(200, 1000, warm_up=0.2) == cosine(200, 1000)


def test_a_ramp_is_linear_between_its_ends() -> None:
    assert [ramp(step, 1000, 0.6, 0.8) for step in (0, 600, 700, 800, 1000)] == pytest.approx([0, 0, 0.5, 1, 1])
