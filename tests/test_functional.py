"""The equations against closed forms and an independent NumPy reference."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nalu import functional

EXTREMES = torch.tensor([0.0, -0.0, 1e-38, -1e-38, 1e-7, -1.0, 1.0, 1e30, -1e30])


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (2, 4, 5, 3), (0, 3)])
def test_linear_is_the_one_of_torch(shape: tuple[int, ...]) -> None:
    x, W = torch.randn(shape, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    y = functional.linear(x, W)
    torch.testing.assert_close(y, F.linear(x, W))
    assert y.is_contiguous()


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 100])
def test_product_and_its_gradient(n: int) -> None:
    z = torch.randn(4, n, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(functional.product(z), z.prod(dim=-1))
    assert torch.autograd.gradcheck(functional.product, z)


def test_gradient_of_a_product_with_zeros_and_tiny_factors() -> None:
    z = torch.tensor([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1e-30, 1e-30, 1e30]], requires_grad=True)
    functional.product(z).sum().backward()
    expected = torch.tensor([[6.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    torch.testing.assert_close(z.grad, expected)


def test_nac_weight_saturates_at_plus_and_minus_one_and_zero() -> None:
    W = functional.nac_weight(torch.tensor([20.0, -20.0, 20.0, 0.0]), torch.tensor([20.0, 20.0, -200.0, 20.0]))
    torch.testing.assert_close(W, torch.tensor([1.0, -1.0, 0.0, 0.0]))


def test_nac_adds_and_subtracts() -> None:
    x = torch.tensor([[3.0, 5.0, 7.0]])
    W = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, -1.0]])
    torch.testing.assert_close(functional.nac(x, W), torch.tensor([[8.0, -4.0]]))


def test_nac_mul_multiplies_divides_and_takes_roots() -> None:
    x = torch.tensor([[3.0, -4.0]], dtype=torch.float64)
    W = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.0, 0.5], [2.0, 0.0]], dtype=torch.float64)
    expected = torch.tensor([[12.0, 0.75, 2.0, 9.0]], dtype=torch.float64)
    torch.testing.assert_close(functional.nac_mul(x, W, eps=0.0), expected)


def test_nalu_is_the_formula_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    x, W_hat, M_hat, G = (rng.normal(size=size) for size in ((6, 4), (3, 4), (3, 4), (3, 4)))
    W = np.tanh(W_hat) / (1 + np.exp(-M_hat))
    gate = 1 / (1 + np.exp(-x @ G.T))
    expected = gate * (x @ W.T) + (1 - gate) * np.exp(np.log(np.abs(x) + 1e-7) @ W.T)
    x_, W_hat_, M_hat_, G_ = map(torch.from_numpy, (x, W_hat, M_hat, G))
    y = functional.nalu(x_, functional.nac_weight(W_hat_, M_hat_), F.linear(x_, G_))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(("logit", "expected"), [(100.0, 7.0), (-100.0, 12.0)])
def test_the_gate_chooses_the_path(logit: float, expected: float) -> None:
    x, W = torch.tensor([[3.0, 4.0]]), torch.ones(1, 2)
    torch.testing.assert_close(functional.nalu(x, W, torch.tensor([logit])), torch.tensor([[expected]]))


def test_a_shut_gate_hides_an_overflowing_product() -> None:
    x = torch.tensor([[1e30, 1e30]], requires_grad=True)
    y = functional.nalu(x, torch.ones(1, 2), torch.tensor([200.0]))
    y.sum().backward()
    torch.testing.assert_close(y, torch.tensor([[2e30]]))
    torch.testing.assert_close(x.grad, torch.ones(1, 2))


def test_nmu_multiplies_what_is_selected() -> None:
    x = torch.tensor([[3.0, -4.0, 5.0]])
    W = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    torch.testing.assert_close(functional.nmu(x, W), torch.tensor([[-12.0, 1.0, -60.0]]))


def test_nmu_equals_the_explicit_product() -> None:
    x, W = torch.randn(5, 4, dtype=torch.float64), torch.rand(3, 4, dtype=torch.float64)
    expected = torch.stack([torch.stack([(w * row + 1 - w).prod() for w in W]) for row in x])
    torch.testing.assert_close(functional.nmu(x, W), expected)


def test_weights_beyond_their_range_are_clipped() -> None:
    x = torch.tensor([[3.0, 5.0]])
    W = torch.tensor([[4.0, -4.0]])
    torch.testing.assert_close(functional.nau(x, W), torch.tensor([[-2.0]]))
    torch.testing.assert_close(functional.nmu(x, W), torch.tensor([[3.0]]))


def test_sparsity_measures_the_distance_to_the_nearest_of_minus_one_zero_one() -> None:
    W = torch.tensor([-1.2, -1.0, -0.7, -0.1, 0.0, 0.5, 0.9, 1.0])
    expected = torch.tensor([0.2, 0.0, 0.3, 0.1, 0.0, 0.5, 0.1, 0.0])
    torch.testing.assert_close(functional.sparsity(W), expected)


def results_and_gradients(x: torch.Tensor, W: float, G: float, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    inputs = {
        "x": x.reshape(1, 1).to(dtype).clone().requires_grad_(),
        "W": torch.full((1, 1), W, dtype=dtype, requires_grad=True),
        "G": torch.full((1, 1), G, dtype=dtype, requires_grad=True),
    }
    x, weight, gate = inputs.values()
    results = {
        "nac": functional.nac(x, weight),
        "nac_mul": functional.nac_mul(x, weight),
        "nalu": functional.nalu(x, weight, functional.linear(x, gate)),
        "nau": functional.nau(x, weight),
        "nmu": functional.nmu(x, weight),
    }
    found = dict(results)
    for name, y in results.items():
        gradients = torch.autograd.grad(y.sum(), list(inputs.values()), allow_unused=True, retain_graph=True)
        found |= {f"d {name} / d {i}": g for i, g in zip(inputs, gradients, strict=True) if g is not None}
    return {name: value.detach().squeeze() for name, value in found.items()}


@pytest.mark.parametrize("x", EXTREMES)
@pytest.mark.parametrize("W", [-1.0, -0.5, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("G", [-1.0, 0.0, 1.0])
def test_finite_for_extreme_inputs_wherever_the_exact_value_is(x: torch.Tensor, W: float, G: float) -> None:
    exact = results_and_gradients(x, W, G, torch.float64)
    for name, value in results_and_gradients(x, W, G, torch.float32).items():
        assert exact[name].isfinite(), name
        if exact[name].abs() < torch.finfo(torch.float32).max:
            assert value.isfinite(), name


@pytest.mark.parametrize("name", ["nac", "nac_mul", "nau", "nmu", "nalu"])
def test_gradients_of_all_orders(name: str) -> None:
    torch.manual_seed(0)
    x = (torch.rand(3, 2, dtype=torch.float64) + 0.5) * torch.tensor([1.0, -1.0])
    W = nn.init.uniform_(torch.empty(2, 2, dtype=torch.float64), 0.1, 0.9)
    inputs = [x.requires_grad_(), W.requires_grad_()]
    if name == "nalu":
        inputs.append(torch.randn(3, 2, dtype=torch.float64, requires_grad=True))
    function = getattr(functional, name)
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)
