"""Initialisations against published values and simulated moments."""

import pytest
import torch

from nalu import GNALU, INALU, MCFC, NAC, NALU, NAU, NMRU, NMU, NPU, GumbelNAC, NACMulSigma, RealNPU, SoftmaxNAC, init


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


def test_nmru_starts_as_the_nmu() -> None:
    torch.manual_seed(0)
    W = NMRU(100, 50).W_hat
    assert W.shape == (50, 200)
    assert 0.25 <= W.min() < 0.26
    assert 0.74 < W.max() <= 0.75


def test_inalu_is_normal() -> None:
    torch.manual_seed(0)
    unit = INALU(200, 100)
    for parameter, mean in (
        (unit.W_hat, 0.88), (unit.W_hat_mul, 0.88), (unit.M_hat, 0.5), (unit.M_hat_mul, 0.5), (unit.gate_bias, 0.0)
    ):  # fmt: skip
        error = 4 * 0.2 / parameter.numel() ** 0.5
        assert parameter.mean().item() == pytest.approx(mean, abs=error)
        assert parameter.std().item() == pytest.approx(0.2, abs=error)


def test_npu_is_glorot_uniform_and_half_relevant() -> None:
    torch.manual_seed(0)
    unit, real = NPU(30, 20), RealNPU(30, 20)
    bound = (6 / 50) ** 0.5
    for W in (unit.W_re, real.W_re):
        assert 0.98 * bound < W.abs().max() <= bound
    assert (unit.W_im == 0).all()
    assert (unit.g == 0.5).all()
    assert {name for name, _ in real.named_parameters()} == {"W_re", "g"}


def test_weights_that_are_made_in_other_ways() -> None:
    torch.manual_seed(0)
    assert NACMulSigma(300, 200).W_hat.std().item() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    softmax, bound = SoftmaxNAC(30, 20), (0.5 * 6 / 50) ** 0.5
    for logits in (softmax.W_plus, softmax.W_minus):
        assert 0.98 * bound < logits.abs().max() <= bound
    assert (GumbelNAC(30, 20).W == 0).all()


def test_gnalu_starts_as_the_nalu() -> None:
    torch.manual_seed(0)
    r = init.nac_uniform_bound(100, 50)
    unit = GNALU(100, 50, init="madsen_johansen")
    for parameter in (unit.W_hat, unit.M_hat):
        assert 0.99 * r < parameter.abs().max() <= r


def test_mcfc_is_orthogonal() -> None:
    torch.manual_seed(0)
    unit = MCFC(7, 3)
    torch.testing.assert_close(unit.R @ unit.R.T, torch.eye(3))
    torch.testing.assert_close(unit.gate_weight.norm(), torch.tensor(1.0))
    assert (unit.gate_bias == 0).all()
    assert torch.equal(MCFC(3, 3).R, torch.eye(3))


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"init must be one of truncated_normal, .* got 'xavier'"):
        NAC(2, 1, init="xavier")
