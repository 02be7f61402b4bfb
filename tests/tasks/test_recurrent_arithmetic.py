"""Recurrent arithmetic: targets by brute force, thresholds in closed form, cells with weights set by hand."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.arithmetic.loss import centred_loss
from tasks.arithmetic.problem import OPERATIONS
from tasks.arithmetic.thresholds import SEQUENCE_EPSILON, of_sequences
from tasks.harness.errors import OptionError
from tasks.harness.record import Record
from tasks.recurrent_arithmetic.data import HIGH, LENGTHS, LOW, SUBSETS, Data
from tasks.recurrent_arithmetic.model import BASELINES, Cell, build
from tasks.recurrent_arithmetic.options import Config
from tasks.recurrent_arithmetic.results import score
from tests.helpers import inverse_tanh

FUNCTIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "square": lambda a, b: a**2,
    "root": lambda a, b: a**0.5,
}


def make_data(op: str, seeds: range = range(2), eval_size: int = 20) -> Data:
    return Data(
        op, SUBSETS, seeds, length=10, lengths=LENGTHS, batch_size=8, eval_size=eval_size, device=torch.device("cpu")
    )


@pytest.mark.parametrize("op", OPERATIONS)
def test_targets_sum_the_subsets_over_all_steps(op: str) -> None:
    data = make_data(op)
    x, y = data.batch(3)
    assert x.shape == (2, 8, 10, 10)
    assert 1 <= x.min() < x.max() < 2
    for k, example in itertools.product(range(2), range(8)):
        chosen = [np.flatnonzero(mask) for mask in SUBSETS.masks(k)]
        assert [len(part) for part in chosen] == [2, 2]
        assert len(np.intersect1d(*chosen)) == 1
        a, b = (sum(float(x[k, example, t, i]) for t in range(10) for i in part) for part in chosen)
        assert y[k, example, 0].item() == pytest.approx(FUNCTIONS[op](a, b), rel=1e-4, abs=1e-4)


def test_evaluation_sets_have_their_lengths_and_differ() -> None:
    data = make_data("add")
    assert {n: x.shape for n, (x, _) in data.test.items()} == {n: (20, n, 10) for n in LENGTHS}
    assert not torch.equal(data.validation[0], data.test[10][0])


@pytest.mark.parametrize("length", LENGTHS)
def test_thresholds_in_closed_form(length: int) -> None:
    """The error is linear in the inputs: weights times mean and variance of U[1, 2], step by step."""
    mean, variance = 1.5, 1 / 12
    decay = (1 - SEQUENCE_EPSILON) ** np.arange(length - 1, -1, -1)
    a, b = np.zeros(10), np.zeros(10)
    a[[0, 1]] = b[[1, 2]] = 1
    for op, target in (("add", a + b), ("sub", a - b)):
        sign = 1 if op == "add" else -1
        almost = (1 - 2 * SEQUENCE_EPSILON) * target + SEQUENCE_EPSILON * (1 + sign)
        error = decay[:, None] * almost - target  # of the weight of each input at each step
        expected = (mean * error.sum()) ** 2 + variance * (error**2).sum()
        assert of_sequences(op, SUBSETS, length, (LOW, HIGH)) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("cell", "op"),
    [("nac", "add"), ("nac", "sub"), ("nau", "add"), ("nau", "sub"), ("nalu", "add"), ("nmu", "mul"), ("nmu", "square"),
     ("nac-mul", "mul"), ("nac-mul", "div"), ("nac-mul", "square"), ("nac-mul", "root")],
)  # fmt: skip
def test_a_network_of_exact_weights_is_solved_at_every_length(cell: Cell, op: str) -> None:
    """Two accumulators of the subsets and an output that combines them meet every threshold."""
    masks = SUBSETS.masks(0).double()
    output = {"add": [1, 1], "sub": [1, -1], "mul": [1, 1], "div": [1, -1], "square": [2, 0], "root": [0.5, 0]}[op]
    if op == "square":  # weights reach 1 at the most: both accumulators are a
        masks, output = masks[[0, 0]], [1, 1]
    model = build(cell, 10, 2, "glorot_uniform").double()
    W_cell = torch.cat([masks, torch.eye(2).double()], dim=1)
    with torch.no_grad():
        for unit, W in ((model.cell.unit, W_cell), (model.output, torch.tensor([output]).double())):
            unit.W_hat.copy_(inverse_tanh(W) if hasattr(unit, "M_hat") else W)
            if hasattr(unit, "M_hat"):
                unit.M_hat.fill_(40)
            if hasattr(unit, "G"):
                unit.G.fill_(40)
            if hasattr(unit, "eps"):
                unit.eps = 1e-300
    for length, (x, y) in make_data(op, range(1), eval_size=5).test.items():
        error = (model(x.double()) - y[0].double()).square().mean().item()
        assert error < Config(op=op, cell=cell).threshold(length), length


@pytest.mark.parametrize("cell", BASELINES)
def test_baselines_read_their_last_state(cell: Cell) -> None:
    torch.manual_seed(0)
    model = build(cell, 10, 4, "glorot_uniform")
    x = torch.rand(3, 5, 10)
    state = model.cell.initial_state(x[:, 0])
    for t in range(5):
        state = model.cell(x[:, t], state)
    hidden = state[0] if cell == "lstm" else state
    torch.testing.assert_close(model(x), model.output(hidden))


def test_the_centred_loss() -> None:
    error = torch.tensor([[[1.0], [3.0]], [[-2.0], [-2.0]]])  # means 2 and -2, variances 1 and 0
    torch.testing.assert_close(centred_loss(error, torch.zeros(2, 2, 1), 0.25), torch.tensor([2.0, 1.0]))
    x = torch.randn(3, 50, 1)
    torch.testing.assert_close(centred_loss(x, 0.5 * x, 1.0), (0.5 * x).square().mean(dim=(1, 2)))


def test_score_of_a_record_made_by_hand(tmp_path: Path) -> None:
    """Seeds: solved at all lengths where validation chooses; solved at length 10 only; untrained overflow; diverged."""
    header = "step,seed,interpolation/error,weights/sparsity,curve/10,curve/100,curve/1000"
    rows = [
        "0,0,9,.1,8,8,8e4", "0,1,9,.1,8,8,8e4", "0,2,9,.1,8,8,inf", "0,3,9,.1,8,8,8e4",
        "5,0,1,.2,1e-9,1e-9,1e-9", "5,1,1,.2,1e-9,4,4e4", "5,2,1,.2,1e-9,4,4e4", "5,3,nan,.2,nan,nan,nan",
        "9,0,2,.3,4,4,4e4", "9,1,2,.3,4,4,1e-9", "9,2,2,.3,4,4,4e4", "9,3,nan,.3,nan,nan,nan",
    ]  # fmt: skip
    (tmp_path / "metrics.csv").write_text("\n".join([header, *rows]) + "\n")
    result = score(Config(op="add", seeds=4), Record.load(tmp_path / "metrics.csv"))
    assert result.outcomes["solved"].tolist() == [True, False, False, False]
    assert result.outcomes["solved/length_10"].tolist() == [True, True, True, False]
    assert result.outcomes["solved/ever_length_1000"].tolist() == [True, True, False, False]
    assert result.outcomes["diverged"].tolist() == [False, False, False, True]
    np.testing.assert_equal(result.values["extrapolation/error"], [1e-9, 4e4, 4e4, np.inf])
    np.testing.assert_allclose(result.values["percent_of_random/length_1000"], [1.25e-12, 50, np.nan, np.inf])
    np.testing.assert_equal(result.values["weights/sparsity"], [0.2, np.nan, np.nan, np.nan])


def test_recipes_can_be_overruled() -> None:
    assert Config(cell="nau").to_dict()["learning_rate"] == 0.01
    assert Config(cell="lstm").to_dict()["hidden_size"] == 16
    given = Config(cell="lstm", hidden_size=5, bias_weight=0.0).to_dict()
    assert (given["hidden_size"], given["bias_weight"], given["learning_rate"]) == (5, 0.0, 0.02)
    with pytest.raises(OptionError, match="--warm-up must lie in \\[0, 1\\], got 2"):
        Config(warm_up=2.0)
    with pytest.raises(OptionError, match="--bias-weight must be a number that is not negative, got nan"):
        Config(bias_weight=float("nan"))
