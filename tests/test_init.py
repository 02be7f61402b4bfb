"""Initialisations against published values and simulated moments."""

import pytest
import torch

from nalu import NAC, NALU, NAU, NMU, init


@pytest.mark.parametrize(
    ("in_features", "out_features", "r"),
    [(100, 2, 0.504), (100, 10, 0.484), (64, 10, 0.600), (32, 1, 0.965), (10, 10, 1.355), (10, 1, 2.261), (4, 2, 5.43)],
)
def test_bound_of_the_nac_initialisation(in_features: int, out_features: int, r: float) -> None:
    assert init.nac_uniform_bound(in_features, out_features) == pytest.approx(r, rel=2e-3)


def test_bound_of_layers_too_small_for_the_glorot_variance() -> None:
    assert init.nac_uniform_bound(2, 1) == init.nac_uniform_bound(2, 2) == pytest.approx(9.471, abs=1e-3)


@pytest.mark.parametrize("r", [0.1, 0.5, 2.0, 9.47])
def test_variance_in_closed_form_equals_the_simulated_one(r: float) -> None:
    generator = torch.Generator().manual_seed(0)
    w, m = ((2 * torch.rand(1_000_000, generator=generator, dtype=torch.float64) - 1) * r for _ in range(2))
    simulated = (torch.tanh(w) * torch.sigmoid(m)).var().item()
    assert init.nac_variance(r) == pytest.approx(simulated, rel=0.01)


def test_effective_weights_have_the_glorot_variance() -> None:
    torch.manual_seed(0)
    W = NAC(300, 200, init="madsen_johansen").W
    assert W.var().item() == pytest.approx(2 / 500, rel=0.03)


def test_truncated_normal() -> None:
    torch.manual_seed(0)
    unit = NALU(200, 100, init="truncated_normal")
    for parameter in (unit.W_hat, unit.M_hat, unit.G):
        assert parameter.abs().max() <= 0.04
        # a standard normal cut at two standard deviations has the standard deviation 0.8796
        assert parameter.std().item() == pytest.approx(0.8796 * 0.02, rel=0.02)


@pytest.mark.parametrize("name", ["madsen_johansen", "glorot_uniform"])
def test_gate_is_glorot_uniform(name: init.Init) -> None:
    torch.manual_seed(0)
    G = NALU(30, 20, init=name).G
    bound = (6 / 50) ** 0.5
    assert 0.98 * bound < G.abs().max() <= bound


def test_nau_and_nmu() -> None:
    torch.manual_seed(0)
    nau, small, nmu = NAU(100, 50).W_hat, NAU(2, 1).W_hat, NMU(100, 50).W_hat
    assert 0.98 * 0.2 < nau.abs().max() <= 0.2
    assert small.abs().max() <= 0.5
    assert 0.25 <= nmu.min() < 0.26
    assert 0.74 < nmu.max() <= 0.75


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"init must be one of truncated_normal, .* got 'xavier'"):
        NAC(2, 1, init="xavier")
