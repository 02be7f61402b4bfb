"""Schedules have the known values of their formulas."""

import math

import pytest

from nalu.schedules import cosine, ramp


def test_cosine_decays_from_1_to_0() -> None:
    assert [cosine(step, 1000) for step in (0, 500, 1000)] == pytest.approx([1, 0.5, 0])


def test_warm_up_multiplies_the_decay_by_a_linear_growth() -> None:
    decay = [0.5 + 0.5 * math.cos(math.pi * progress) for progress in (0.1, 0.2, 0.6)]
    found = [cosine(step, 1000, warm_up=0.2) for step in (0, 100, 200, 600)]
    assert found == pytest.approx([0, decay[0] / 2, decay[1], decay[2]])


def test_a_ramp_is_linear_between_its_ends() -> None:
    assert [ramp(step, 1000, 0.6, 0.8) for step in (0, 600, 700, 800, 1000)] == pytest.approx([0, 0, 0.5, 1, 1])
