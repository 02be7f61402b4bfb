"""Units in float16, bfloat16 and under autocast."""

import math

import pytest
import torch
from torch import nn

from nalu import MCFC, NMRU, NMU, SNMU, GatedNAUNMU, GumbelNAC, after_step_, functional
from nalu.units import UNITS
from nalu.units.noise import uniform

HALVES = [torch.float16, torch.bfloat16]


def largest_gradient(network: nn.Module, x: torch.Tensor, dtype: torch.dtype, loss_scale: float = 1.0) -> float:
    """The largest absolute value in the gradients of a scaled mean square, computed in a dtype; may be inf or NaN."""
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        y = network(x)
    loss = loss_scale * y.float().square().mean()
    gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return torch.cat([gradient.flatten() for gradient in gradients if gradient is not None]).abs().max().item()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", UNITS)
def test_gradients_under_autocast_are_finite_if_half_precision_can_represent_them(
    name: str, dtype: torch.dtype
) -> None:
    """The layer before an NMRU may overflow float16: the slope of 1 / x at a small x gives gradients above 65504.

    Scaling the loss down, as torch.amp.GradScaler does after an overflow, makes them finite.
    """
    limit = torch.finfo(dtype).max
    for seed in range(10):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), UNITS[name].build(3, 2))
        x = torch.randn(16, 4)
        if not math.isfinite(largest_gradient(network, x, dtype)):
            exact = largest_gradient(network, x, torch.float32)
            assert limit < exact < math.inf
            assert math.isfinite(largest_gradient(network, x, dtype, loss_scale=limit / (4 * exact)))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", UNITS)
def test_half_precision_computes_what_float32_computes(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    unit = UNITS[name].build(3, 2).to(dtype).eval()
    x = (0.5 + torch.rand(16, 3)).to(dtype)
    expected = unit.float()(x.float())
    actual = unit.to(dtype)(x)
    assert actual.dtype == dtype
    torch.testing.assert_close(actual.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("dtype", HALVES)
def test_reciprocals_and_noise_in_half_precision(dtype: torch.dtype) -> None:
    unit = NMRU(2, 1).to(dtype)
    with torch.no_grad():
        unit.W_hat.copy_(torch.tensor([[0.0, 1.0, 0.0, 0.0]]))
    assert unit(torch.tensor([[0.0, 1.0]], dtype=dtype)).item() == 1
    assert torch.equal(SNMU(2, 1).to(dtype)(torch.ones(3, 2, dtype=dtype)), torch.ones(3, 1, dtype=dtype))


@pytest.mark.parametrize("dtype", HALVES)
def test_noise_excludes_its_ends_also_for_half_precision(dtype: torch.dtype) -> None:
    numbers = uniform(torch.tensor(1), torch.tensor(2), torch.empty(10**6, dtype=dtype))
    assert 0 < numbers.min() < 1e-5
    assert 1 - 1e-5 < numbers.max() < 1


def test_gumbel_noise_in_bfloat16() -> None:
    unit = GumbelNAC(20, 20).bfloat16()
    for _ in range(200):
        assert unit(torch.ones(1, 20, dtype=torch.bfloat16)).isfinite().all()
        after_step_(unit)


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32, torch.float64])
def test_the_logarithm_has_gradient_zero_at_zero(dtype: torch.dtype) -> None:
    x = torch.zeros(2, dtype=dtype, requires_grad=True)
    y = functional.log_abs(x)
    y.sum().backward()
    assert torch.equal(x.grad, torch.zeros(2, dtype=dtype))
    torch.testing.assert_close(y.float(), torch.full((2,), 1e-7).log(), rtol=1e-2, atol=0)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_mass_conserving_layer_is_built(dtype: torch.dtype) -> None:
    layer = MCFC(3, 2, dtype=dtype)
    assert layer.R.dtype == dtype
    torch.testing.assert_close(layer.R.float() @ layer.R.float().T, torch.eye(2), rtol=0, atol=0.02)


def test_a_shut_path_that_overflows_contributes_nothing() -> None:
    unit = GatedNAUNMU(100, 1)
    with torch.no_grad():
        unit.nau.W_hat.fill_(1)
        unit.nmu.W_hat.fill_(0.5)
        unit.G.fill_(1)
    x = torch.full((1, 100), 5.0, requires_grad=True)
    assert unit.nmu(1e3 * x).isinf().all()
    for scale in (1.0, 1e3):
        y = unit(scale * x)
        assert y.item() == 500 * scale
        y.backward()
    assert all(p.grad.isfinite().all() for p in (x, *unit.parameters()))


def test_a_shut_sum_that_overflows_contributes_nothing() -> None:
    gate, value = torch.tensor([0.0, 1.0], requires_grad=True), torch.tensor([torch.inf, 2.0], requires_grad=True)
    y = functional.gated(gate, value)
    assert y.tolist() == [0, 2]
    y.sum().backward()
    assert gate.grad.tolist() == [0, 2]
    assert value.grad.tolist() == [0, 1]
    assert NMU(1, 1)(torch.tensor([[2.0]])).isfinite().all()
