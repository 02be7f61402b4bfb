"""The shared arithmetic problems: data, thresholds in closed form, losses."""

import numpy as np
import pytest
import torch

from tasks.arithmetic.loss import centred_loss, squared_error
from tasks.arithmetic.problem import OPERATIONS, Subsets, spread
from tasks.arithmetic.thresholds import SUBSET_EPSILON, of_subsets, published_subsets
from tasks.static_arithmetic.options import Config
from tests.helpers import SUBSETS, subset_sums


def test_the_subsets_of_the_protocol() -> None:
    assert Config().subsets == SUBSETS
    for seed in range(50):
        a, b = SUBSETS.masks(seed)
        assert (a.sum(), b.sum(), (a * b).sum()) == (25, 25, 12)
        offset = np.random.RandomState(seed).randint(0, 100 - 38 + 1)
        assert a.nonzero()[0] == offset
        assert b.nonzero()[-1] == offset + 37


@pytest.mark.parametrize("op", OPERATIONS)
def test_targets(op: str) -> None:
    functions = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "square": lambda a, b: a**2,
        "root": lambda a, b: a**0.5,
    }
    data = subset_sums(op, range(4, 7))
    x, y = data.batch(3)
    assert x.shape == (3, 16, 100)
    assert 1 <= x.min() < x.max() < 2
    for k, seed in enumerate(range(4, 7)):
        masks = SUBSETS.masks(seed).numpy().astype(bool)
        a, b = (x[k].double().numpy()[:, mask].sum(1) for mask in masks)
        np.testing.assert_allclose(y[k, :, 0], functions[op](a, b), rtol=1e-5, atol=1e-5)
        inputs, targets = data.extrapolation
        a, b = (inputs.double().numpy()[:, mask].sum(1) for mask in masks)
        np.testing.assert_allclose(targets[k, :, 0], functions[op](a, b), rtol=1e-6)


def test_evaluation_sets_are_those_of_the_reproduction_study() -> None:
    data = subset_sums(eval_size=10)
    expected = np.random.RandomState(43953907).uniform(1, 2, size=(10, 100))
    np.testing.assert_allclose(data.validation[0], expected, rtol=1e-6)
    expected = np.random.RandomState(8689336).uniform(2, 6, size=(10, 100))
    np.testing.assert_allclose(data.extrapolation[0], expected, rtol=1e-6)


def test_ranges_of_two_intervals() -> None:
    x = spread(torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1], (-6, -2, 2, 6))
    assert x[:500].min() == -6
    assert -2.01 < x[:500].max() < -2
    assert x[500:].min() == 2
    assert 5.99 < x[500:].max() < 6


def test_thresholds_in_closed_form() -> None:
    """For x ~ U[2, 6]: mean 4, variance 4/3; k inputs a subset, o of them shared, of n."""
    mean, variance, n = 4, 4 / 3, 100
    for subsets in (SUBSETS, published_subsets(SUBSETS)):
        k, o = subsets.size, subsets.overlap
        neither, only_one = n - subsets.span, 2 * (k - o)
        add = SUBSET_EPSILON**2 * ((mean * 2 * (neither - o)) ** 2 + 4 * variance * (neither + o))
        assert of_subsets("add", subsets, (2.0, 6.0)) == pytest.approx(add, rel=0.005)
        assert of_subsets("sub", subsets, (2.0, 6.0)) == pytest.approx(
            SUBSET_EPSILON**2 * 4 * variance * only_one, rel=0.005
        )


@pytest.mark.parametrize(
    ("op", "value"),
    [("add", 1.47861742e-05), ("sub", 1.38437045e-08), ("mul", 0.160010659), ("div", 4.93805490e-12),
     ("square", 0.159473806), ("root", 8.95525993e-09)],
)  # fmt: skip
def test_published_thresholds(op: str, value: float) -> None:
    assert of_subsets(op, published_subsets(SUBSETS), (2.0, 6.0)) == pytest.approx(value, rel=0.01)


def test_thresholds_of_the_data_set_as_it_is() -> None:
    assert of_subsets("add", SUBSETS, (2.0, 6.0)) == pytest.approx(1.60395e-05, rel=0.005)
    assert of_subsets("mul", SUBSETS, (2.0, 6.0)) == pytest.approx(0.1606, rel=0.005)


@pytest.mark.parametrize(("bounds", "value"), [((-6.0, -2.0, 2.0, 6.0), 2.30716e-4), ((0.2, 2.0), 9.19984e-4)])
def test_published_thresholds_of_other_ranges(bounds: tuple[float, ...], value: float) -> None:
    assert of_subsets("mul", published_subsets(SUBSETS), bounds) == pytest.approx(value, rel=0.02)


def test_the_weight_of_the_common_error() -> None:
    """Errors -1, 1, 2, 2: mean square 2.5, mean 1, variance 1.5."""
    target = torch.zeros(1, 4, 1)
    prediction = torch.tensor([-1.0, 1.0, 2.0, 2.0]).view(1, 4, 1)
    assert squared_error(prediction, target).tolist() == [2.5]
    for weight in (0.0, 0.25, 1.0):
        expected = pytest.approx([1.5 + weight])
        assert centred_loss(prediction, target, weight).tolist() == expected


def test_thresholds_of_many_inputs_need_fewer_samples() -> None:
    """For sums on [0, 1] there is a closed form: the error is epsilon (everything - 2 a), plus the same with b."""
    subsets, epsilon = Subsets(inputs=400, size=2, overlap=0), SUBSET_EPSILON
    weights = np.full(400, 2 * epsilon)
    weights[:4] = 0  # the inputs of a and b are off by -2 epsilon besides
    expected = (weights.sum() / 2) ** 2 + (weights**2).sum() / 12
    assert of_subsets("add", subsets, (0.0, 1.0)) == pytest.approx(expected, rel=0.01)
