"""Structures with weights set by hand: exact operations, the gauge, snapping."""

import copy

import pytest
import torch
from torch import Tensor

from nalu import Ensemble, after_step_, inspection
from tasks.six_operations.structures import AdditiveStructure, PowerStructure

A = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
B = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
X = 1 + torch.rand(30, 8, generator=torch.Generator().manual_seed(0)).double()
a, b = X @ A.double(), X @ B.double()


def test_learned_exponents_are_snapped_each() -> None:
    structure = power(torch.stack([A, B]), (0.3, 0.3), 1.96)
    structure.half_difference.data.fill_(-0.53)
    structure.snap_()
    torch.testing.assert_close(structure(X).exp().squeeze(-1), a.sqrt() * b.pow(1.5), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("rows", "expected", "exponents"),
    [((A, B), a / b, (1, -1)), ((A, B), a * b.sqrt(), (1, 0.5)), ((A, A), a.sqrt(), (0.25, 0.25))],
)
def test_exponents_are_fitted_to_snapped_rows(
    rows: tuple[Tensor, Tensor], expected: Tensor, exponents: tuple[float, float]
) -> None:
    structure = power(torch.stack(rows), (0.62, -0.62), 0.0)
    structure.snap_()
    structure.refit_(X, expected.log().unsqueeze(-1))
    assert structure.P.tolist() == [list(exponents)]
    torch.testing.assert_close(structure(X).exp().squeeze(-1), expected, rtol=1e-6, atol=0)


def power(rows: Tensor, exponents: tuple[float, float], degree: float) -> PowerStructure:
    """With rows near ``rows`` times a factor, and a scale that is off."""
    structure = PowerStructure(8, exponents, typical=1.5).double()
    torch.manual_seed(0)
    with torch.no_grad():
        structure.W_hat.copy_(rows / 3 + 0.02 * torch.rand(2, 8))
        structure.half_sum.fill_(degree / 2)
        structure.scale.fill_(0.3)
    return structure


@pytest.mark.parametrize(
    ("rows", "exponents", "degree", "expected"),
    [
        ((A, B), (1.0, 1.0), 1.93, a * b),
        ((A, B), (1.0, -1.0), 0.05, a / b),
        ((A, A), (1.0, 1.0), 2.1, a * a),
        ((A, A), (1.0, 1.0), 0.45, a.sqrt()),
    ],
)
def test_a_snapped_power_is_exact(
    rows: tuple[Tensor, Tensor], exponents: tuple[float, float], degree: float, expected: Tensor
) -> None:
    structure = power(torch.stack(rows), exponents, degree)
    assert not torch.allclose(structure(X).exp().squeeze(-1), expected, rtol=0.01)
    structure.snap_()
    torch.testing.assert_close(structure(X).exp().squeeze(-1), expected, rtol=1e-6, atol=0)
    assert inspection.sparsity_error(structure) < 1e-12
    torch.testing.assert_close(structure.effective_weights()[""], torch.stack(rows).double())


@pytest.mark.parametrize(("weights", "expected"), [(A + B, a + b), (A - B, a - b)])
def test_a_snapped_sum_is_exact(weights: Tensor, expected: Tensor) -> None:
    """However it is shared among two rows and their factors."""
    structure = AdditiveStructure(8).double()
    torch.manual_seed(0)
    with torch.no_grad():
        structure.W[0] = torch.randn(8)
        structure.V.copy_(torch.tensor([[0.7, -2.0]]))
        structure.W[1] = (0.7 * structure.W[0] - weights - 0.3 * torch.rand(8)) / 2
    structure.snap_()
    torch.testing.assert_close(structure(X).squeeze(-1), expected)
    assert set(structure.W.flatten().tolist()) <= {-1.0, 0.0, 1.0}


def test_a_power_starts_as_the_product_of_its_rows() -> None:
    structure = PowerStructure(8, (1.0, -1.0), typical=1.5).double()
    h = X @ structure.W.mT
    torch.testing.assert_close(structure(X).exp().squeeze(-1), h[:, 0] / h[:, 1], rtol=1e-6, atol=0)
    torch.testing.assert_close(structure.W.mean(dim=1), torch.full((2,), 0.25, dtype=torch.float64))


def test_the_mean_of_the_parameter_is_of_no_effect() -> None:
    structure = power(torch.stack([A, B]), (1.0, 1.0), 2.0)
    moved = copy.deepcopy(structure)
    moved.W_hat.data += 5
    torch.testing.assert_close(moved(X), structure(X))
    after_step_(moved)
    torch.testing.assert_close(moved.W_hat, structure.W)
    torch.testing.assert_close(moved(X), structure(X))


def test_a_row_that_rounds_to_nothing_positive_becomes_nan() -> None:
    structure = power(torch.stack([A, B]), (1.0, 1.0), 2.0)
    with torch.no_grad():
        structure.W_hat[1] = torch.tensor([20.0, *[-4.0] * 6, 3.0])
        structure.W_hat[0] = torch.tensor([1.0, -1.0, *[0.0] * 6])
    structure.snap_()
    assert structure(X).isnan().all()


@pytest.mark.parametrize("build", [lambda: AdditiveStructure(8), lambda: PowerStructure(8, (1.0, -1.0))])
def test_an_ensemble_is_its_members_also_without_vmap(build: type) -> None:
    plain, mapped = (Ensemble(build, range(3), natively_batched=natively_batched) for natively_batched in (True, False))
    x = 1 + torch.rand(3, 10, 8)
    torch.testing.assert_close(plain(x), mapped(x))
    for k in range(3):
        torch.testing.assert_close(plain(x)[k], plain.member(k)(x[k]))
    snapped = inspection.snapped(plain)
    for k in range(3):
        member = inspection.snapped(plain.member(k))
        torch.testing.assert_close(snapped(x)[k], member(x[k]), equal_nan=True)


def test_values_that_cannot_be_used() -> None:
    with pytest.raises(ValueError, match="in_features must be at least 1, got 0"):
        AdditiveStructure(0)
    with pytest.raises(ValueError, match="typical must be above 0, got 0"):
        PowerStructure(8, typical=0.0)
    with pytest.raises(ValueError, match="row_mean must be above 0, got -1"):
        PowerStructure(8, row_mean=-1.0)
