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


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (0, 3)])
@pytest.mark.parametrize("one_gate_for_all", [False, True])
def test_nalu_lies_in_memory_as_a_linear_layer_does(shape: tuple[int, ...], one_gate_for_all: bool) -> None:
    x, W, G = (torch.rand(size, dtype=torch.float64) for size in (shape, (2, 3), (2, 3)))
    z = G[:, 0] if one_gate_for_all else functional.linear(x, G)
    y = functional.nalu(x, W, z)
    g, a, m = z.sigmoid(), F.linear(x, W), F.linear((x + functional.EPSILON).log(), W).exp()
    torch.testing.assert_close(y, g * a + (1 - g) * m)
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


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def drawn(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


def agrees(found: torch.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)


def test_inalu_is_the_formula_of_the_paper() -> None:
    x, W, W_mul, g = drawn((6, 4), (3, 4), (3, 4), (3,))
    W, W_mul = np.tanh(W), np.tanh(W_mul)
    x[0] *= 1e30  # into the bound of e^20, as their product would be 1e120
    x[1, 2] = 0
    expected = np.empty((6, 3))
    for b in range(6):
        for o in range(3):
            m = np.exp(min(sum(W_mul[o, i] * np.log(max(abs(x[b, i]), 1e-7)) for i in range(4)), 20))
            s = np.prod([np.sign(x[b, i]) * abs(W_mul[o, i]) + 1 - abs(W_mul[o, i]) for i in range(4)])
            expected[b, o] = sigmoid(g[o]) * (W[o] @ x[b]) + (1 - sigmoid(g[o])) * m * s
    agrees(functional.inalu(*map(torch.from_numpy, (x, W, W_mul, g))), expected)


@pytest.mark.parametrize("real", [True, False])
def test_npu_is_the_real_part_of_complex_powers(real: bool) -> None:
    """With all inputs relevant; the logarithm of a negative number is log|x| + i pi."""
    x, W_re, W_im = drawn((6, 4), (3, 4), (3, 4))
    if real:
        # Without imaginary exponents, the modulus and the sign of the real power are left.
        logarithms = np.log(np.abs(x).astype(complex)) + 1j * np.pi * (x < 0)
        expected = np.exp(logarithms.real @ W_re.T) * np.cos(logarithms.imag @ W_re.T)
    else:
        powers = x[:, None, :].astype(complex) ** (W_re + 1j * W_im)
        expected = powers.prod(axis=-1).real
    exponents = [torch.from_numpy(W_re), None if real else torch.from_numpy(W_im)]
    agrees(functional.npu(torch.from_numpy(x), *exponents, torch.ones(4).double(), eps=0.0), expected)


def test_npu_with_relevance_and_epsilon() -> None:
    x, W_re, W_im, g = drawn((6, 4), (3, 4), (3, 4), (4,))
    x[0, 1], eps = 0, 1e-3
    clipped = np.clip(g, 0, 1)
    assert {0.0} < set(clipped), "the clip is tried"
    r = clipped * (np.abs(x) + eps) + 1 - clipped
    k = np.where(x < 0, np.pi * clipped, 0)
    expected = np.exp(np.log(r) @ W_re.T - k @ W_im.T) * np.cos(k @ W_re.T + np.log(r) @ W_im.T)
    agrees(functional.npu(*map(torch.from_numpy, (x, W_re, W_im, g)), eps=eps), expected)
    real = np.exp(np.log(r) @ W_re.T) * np.cos(k @ W_re.T)
    agrees(functional.npu(*map(torch.from_numpy, (x, W_re)), None, torch.from_numpy(g), eps=eps), real)


def test_npu_without_relevant_inputs_is_one() -> None:
    x, W = torch.tensor([[1e10, -3.0]]), torch.tensor([[0.7, -1.3]])
    torch.testing.assert_close(functional.npu(x, W, W, torch.zeros(2), eps=1e-7), torch.ones(1, 1))


def test_gnalu_weights_are_those_of_the_golden_ratio() -> None:
    W_hat, M_hat = drawn((3, 4), (3, 4))
    phi = (1 + 5**0.5) / 2
    expected = (phi ** (2 * W_hat) - 1) / (phi ** (2 * W_hat) + 1) / (1 + phi**-M_hat)
    agrees(functional.golden_nac_weight(torch.from_numpy(W_hat), torch.from_numpy(M_hat)), expected)


def test_nmru_is_the_product_of_selected_factors_and_divisors() -> None:
    x, _ = drawn((6, 4), (1,))
    W = np.random.default_rng(1).uniform(size=(3, 8))
    z = np.concatenate([x, 1 / x], axis=1)
    expected = np.prod(W * z[:, None, :] + 1 - W, axis=-1)
    agrees(functional.nmru(torch.from_numpy(x), torch.from_numpy(W), eps=1e-9), expected)


def test_reciprocal() -> None:
    x = torch.tensor([2.0, -4.0, 1e-3, 0.0, 1e-30, -1e30], requires_grad=True)
    y = functional.reciprocal(x)
    torch.testing.assert_close(y[:4], torch.tensor([0.5, -0.25, 1000.0, 0.0]))
    y.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_snmu_divides_the_noise_out() -> None:
    x, _ = drawn((6, 4), (1,))
    rng = np.random.default_rng(1)
    W, noise = rng.uniform(size=(3, 4)), rng.uniform(1, 5, size=(6, 4))
    expected = np.prod((W * (x * noise)[:, None] + 1 - W) / (W * noise[:, None] + 1 - W), axis=-1)
    agrees(functional.snmu(*map(torch.from_numpy, (x, W, noise))), expected)
    selected = np.round(W)
    agrees(
        functional.snmu(*map(torch.from_numpy, (x, selected, noise))),
        np.prod(np.where(selected == 1, x[:, None], 1), axis=-1),
    )


def test_mcfc_distributes_each_input_over_the_outputs() -> None:
    x, R, gate = drawn((6, 4), (3, 4), (3,))
    shares = np.exp(R) / np.exp(R).sum(axis=0)
    agrees(functional.mcfc(*map(torch.from_numpy, (x, R, gate))), sigmoid(gate) * (x @ shares.T))
    everything = functional.mcfc(torch.from_numpy(x), torch.from_numpy(R), torch.full((3,), 50.0))
    agrees(everything.sum(-1), x.sum(axis=-1))


def test_softmax_weights() -> None:
    plus, minus = drawn((3, 4), (3, 4))
    expected = (np.exp(plus) - np.exp(minus)) / (np.exp(plus) + np.exp(minus) + 1)
    agrees(functional.softmax_weight(torch.from_numpy(plus), torch.from_numpy(minus)), expected)


def test_gumbel_weights_are_draws_from_the_softmax() -> None:
    """At a low temperature they are 1, -1 and 0 as often as the softmax says."""
    plus, minus = torch.full((200, 500), 0.7), torch.full((200, 500), -0.4)
    uniform = torch.rand(3, 200, 500, generator=torch.Generator().manual_seed(0)).clamp(min=1e-7)
    W = functional.gumbel_softmax_weight(plus, minus, uniform, torch.tensor(1e-3)).round()
    weights = torch.tensor([0.7, -0.4, 0.0]).softmax(0)
    for value, probability in zip((1, -1, 0), weights, strict=True):
        assert W.eq(value).float().mean().item() == pytest.approx(probability.item(), abs=0.006)
    half = functional.gumbel_softmax_weight(plus[:1, :1], minus[:1, :1], uniform[:, :1, :1], torch.tensor(0.5))
    noisy = (np.array([0.7, -0.4, 0.0]) - np.log(-np.log(uniform[:, 0, 0].double().numpy()))) / 0.5
    shares = np.exp(noisy) / np.exp(noisy).sum()
    assert half.item() == pytest.approx(shares[0] - shares[1], abs=1e-5)


def results_and_gradients(x: torch.Tensor, W: float, G: float, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    inputs = {
        "x": x.reshape(1, 1).to(dtype).clone().requires_grad_(),
        "W": torch.full((1, 1), W, dtype=dtype, requires_grad=True),
        "G": torch.full((1, 1), G, dtype=dtype, requires_grad=True),
    }
    x, weight, gate = inputs.values()
    relevance = gate.abs().squeeze(0)
    results = {
        "nac": functional.nac(x, weight),
        "nac_mul": functional.nac_mul(x, weight),
        "nalu": functional.nalu(x, weight, functional.linear(x, gate)),
        "nau": functional.nau(x, weight),
        "nmu": functional.nmu(x, weight),
        "inalu": functional.inalu(x, weight, weight, gate.squeeze(0)),
        "npu": functional.npu(x, weight, gate, relevance, eps=1e-7),
        "realnpu": functional.npu(x, weight, None, relevance, eps=1e-7),
        "mcfc": functional.mcfc(x, weight, gate.squeeze(0)),
        "snmu": functional.snmu(x, weight, torch.full_like(x, 3)),
        "nmru": functional.nmru(x, torch.cat([weight, gate], dim=1)),
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


def test_snmu_of_many_inputs_does_not_overflow():
    """Both of its products do, with 160 inputs; their quotient is 1 for inputs of 1."""
    noise = 1 + 4 * torch.rand(8, 160, generator=torch.Generator().manual_seed(1))
    y = functional.snmu(torch.ones(8, 160), torch.full((1, 160), 0.5), noise)
    torch.testing.assert_close(y, torch.ones(8, 1))
    assert functional.nmu(noise * 5, torch.ones(1, 160)).isinf().any()
