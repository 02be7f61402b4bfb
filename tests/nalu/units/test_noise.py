"""Noise as a pure function of key, step and position, and the units that draw it."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from nalu import NMU, SNMU, Ensemble, GumbelNAC, after_step_
from nalu.units.noise import uniform


def draw(key: int, step: int, size: int = 100_000, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return uniform(torch.tensor(key), torch.tensor(step), torch.empty(size, dtype=dtype))


def test_the_numbers_are_uniform_and_independent() -> None:
    numbers = {where: draw(*where).numpy() for where in ((0, 0), (0, 1), (1, 0), (2**31 - 1, 50_000))}
    for first in numbers.values():
        assert 0 < first.min() < 1e-4
        assert 1 - 1e-4 < first.max() < 1
        assert stats.kstest(first, "uniform").pvalue > 0.001
        assert stats.kstest((first[1:] - first[:-1]) % 1, "uniform").pvalue > 0.001, "neighbours"
    correlations = np.corrcoef(list(numbers.values())) - np.eye(4)
    assert np.abs(correlations).max() < 4 / math.sqrt(100_000)


def test_steps_of_one_position_are_independent_too() -> None:
    series = np.array([draw(7, step, size=1).item() for step in range(2000)])
    assert stats.kstest(series, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(series[1:], series[:-1])[0, 1]) < 4 / math.sqrt(2000)


def test_the_numbers_do_not_depend_on_the_precision_and_never_reach_the_ends() -> None:
    double, single = draw(3, 4), draw(3, 4, dtype=torch.float32)
    assert torch.equal(single.double(), double)
    largest = (2**23 - 1 + 0.5) * 2.0**-23
    assert torch.tensor(largest, dtype=torch.float32) < 1


def test_noise_of_the_snmu() -> None:
    torch.manual_seed(0)
    unit, x = SNMU(3, 2), torch.rand(5000, 3) + 1
    plain = NMU(3, 2)
    plain.load_state_dict({"W_hat": unit.W_hat})
    assert torch.equal(unit.eval()(x), plain(x))
    unit.train()
    first = unit(x)
    assert torch.equal(unit(x), first), "the same noise until the optimiser's step"
    after_step_(unit)
    assert not torch.isclose(unit(x), first).any(dim=1).all()
    noise = 1 + 4 * unit.noise(x)
    assert 1 < noise.min() < 1.01
    assert 4.99 < noise.max() < 5
    torch.testing.assert_close(unit(x), plain(x * noise) / plain(noise))


def test_noise_of_the_gumbel_nac() -> None:
    torch.manual_seed(0)
    unit, x = GumbelNAC(3, 2), torch.rand(8, 3)
    assert (unit.eval()(x) == 0).all(), "the expectation of untrained weights"
    unit.train()
    first = unit(x)
    assert (first != 0).all()
    torch.testing.assert_close(unit(x[3]), first[3], msg="one draw of the weights for all examples")
    after_step_(unit)
    assert not torch.isclose(unit(x), first).all()


@pytest.mark.parametrize(("step", "temperature"), [(0, 1.0), (10_000, math.exp(-0.1)), (1_000_000, 0.5)])
def test_the_temperature_falls(step: int, temperature: float) -> None:
    unit = GumbelNAC(3, 2)
    unit.noise.step.fill_(step)
    assert unit.temperature.item() == pytest.approx(temperature)


@pytest.mark.parametrize("unit", [SNMU, GumbelNAC])
def test_members_draw_what_they_draw_alone_and_resumed_runs_go_on(unit: type[SNMU] | type[GumbelNAC]) -> None:
    x = torch.rand(3, 8, 4)
    ensemble, alone = Ensemble(lambda: unit(4, 2), [0, 1, 2]), Ensemble(lambda: unit(4, 2), [2])
    for _ in range(3):
        after_step_(ensemble)
        after_step_(alone)
    y = ensemble(x)
    torch.testing.assert_close(y[2:], alone(x[2:]))
    torch.testing.assert_close(y[1], ensemble.member(1)(x[1]))
    same = ensemble(x[:1].expand(3, -1, -1))
    assert not torch.isclose(same[0], same[1]).all(), "every member has noise of its own"
    resumed = Ensemble(lambda: unit(4, 2), [7, 8, 9])
    resumed.load_state_dict(ensemble.state_dict())
    assert torch.equal(resumed(x), y)
