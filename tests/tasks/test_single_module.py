"""The single-module benchmark: thresholds, data, hand-set units, and the score of records made by hand."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nalu.units.catalogue import UNITS
from tasks.arithmetic.thresholds import of_unit
from tasks.harness.errors import OptionError
from tasks.harness.record import Record
from tasks.harness.training.run import run
from tasks.single_module import TASK
from tasks.single_module.data import Data
from tasks.single_module.model import build
from tasks.single_module.options import Config, recipe
from tasks.single_module.published import EPSILON, STRICT_EPSILON
from tasks.single_module.ranges import RANGES
from tasks.single_module.results import OPERATIONS, score
from tasks.single_module.train import train

FUNCTIONS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}


def make_data(op: str = "add", names: tuple[str, ...] = tuple(RANGES), seeds: range = range(3), **options: int) -> Data:
    sizes = {"inputs": 2, "batch_size": 16, "eval_size": 50, **options}
    return Data(op, [RANGES[name] for name in names], seeds, **sizes, device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("bounds", "add", "mul", "div"),
    [
        ((20, 40), 3.66667e-05, 3.4841e-02, 4.6657e-08),
        ((2, 6), 6.66667e-07, 1.20166e-05, 5.7766e-08),
        ((-6.1, -1.2), 5.72917e-07, 9.39124e-06, 8.3717e-08),
        ((1.2, 6), 5.568e-07, 8.85569e-06, 8.2650e-08),
        ((0.2, 2), 5.38e-08, 8.76072e-08, 1.4797e-07),
    ],
)
def test_thresholds(bounds: tuple[float, ...], add: float, mul: float, div: float) -> None:
    """Known values for two inputs and epsilon 1e-4; quadratic in epsilon, and the same on the other side of zero."""
    low, high = bounds
    for op, value in (("add", add), ("sub", add), ("mul", mul), ("div", div)):
        for same in (bounds, (-high, -low), (-high, -low, low, high)):
            assert of_unit(op, same) == pytest.approx(value, rel=2e-5)
            assert of_unit(op, same, epsilon=STRICT_EPSILON) == pytest.approx(value / 100, rel=3e-4)


@pytest.mark.parametrize("inputs", [2, 5])
@pytest.mark.parametrize("op", OPERATIONS)
def test_thresholds_are_the_error_of_an_almost_perfect_unit(op: str, inputs: int) -> None:
    """Simulated in float64 from the definition, on every test range."""
    random = np.random.default_rng(0)
    for bounds in {bounds.test for bounds in RANGES.values()}:
        low, high = np.array(bounds).reshape(-1, 2)[random.integers(len(bounds) // 2, size=(200_000, inputs))].T
        x = random.uniform(low, high)
        exact = FUNCTIONS[op](x[0], x[1])
        if op in ("add", "sub"):
            almost = exact - EPSILON * np.abs(x).sum(axis=0)
        else:
            factor = 1 - EPSILON if op == "mul" else 1 / (1 + EPSILON)
            almost = exact * (1 - EPSILON) * factor * np.prod(1 - EPSILON * np.abs(x[2:]), axis=0)
        assert of_unit(op, bounds, inputs) == pytest.approx(np.mean((almost - exact) ** 2), rel=0.02)


def test_ranges_of_the_protocol() -> None:
    assert list(RANGES) == [
        "U-20..-10", "U-2..-1", "U-1.2..-1.1", "U-0.2..-0.1", "U-2..2", "U0.1..0.2", "U1..2", "U1.1..1.2", "U10..20",
    ]  # fmt: skip
    assert RANGES["U-2..2"].test == (-6, -2, 2, 6)
    assert Config().ranges == tuple(RANGES)


@pytest.mark.parametrize("op", OPERATIONS)
def test_batches_lie_in_their_ranges_and_targets_are_exact(op: str) -> None:
    data = make_data(op, inputs=4)
    x, y = data.batch(2)
    assert x.shape == (9 * 3, 16, 4)
    for bounds, inputs, targets in zip(RANGES.values(), x.view(9, 3, 16, 4), y.view(9, 3, 16, 1), strict=True):
        low, high = bounds.train
        width = high - low
        assert low - 1e-6 <= inputs.min() < low + 0.05 * width
        assert high - 0.05 * width < inputs.max() <= high + 1e-6
        a, b = inputs[..., 0].numpy(), inputs[..., 1].numpy()
        np.testing.assert_allclose(targets[..., 0], FUNCTIONS[op](a, b), rtol=1e-6)


@pytest.mark.parametrize("op", OPERATIONS)
def test_evaluation_sets(op: str) -> None:
    data = make_data(op, eval_size=2000)
    for name, seed, sets in (("train", 43953907, data.validation), ("test", 8689336, data.extrapolation)):
        x, y = (part.double().numpy() for part in sets)
        np.testing.assert_allclose(y[..., 0], FUNCTIONS[op](x[..., 0], x[..., 1]), rtol=1e-7)
        one_to_two = list(RANGES).index("U1..2")
        low, high = getattr(RANGES["U1..2"], name)
        np.testing.assert_allclose(x[one_to_two], np.random.RandomState(seed).uniform(low, high, (2000, 2)), rtol=1e-6)
        for bounds, inputs in zip(RANGES.values(), x, strict=True):
            intervals = np.array(getattr(bounds, name)).reshape(-1, 2)
            inside = [(low - 1e-6 <= inputs) & (inputs <= high + 1e-6) for low, high in intervals]
            assert np.logical_or.reduce(inside).all()
            assert all(part.mean() == pytest.approx(1 / len(intervals), abs=0.05) for part in inside)


def test_a_seed_of_a_range_sees_the_same_batches_alone_and_among_others() -> None:
    x, y = make_data("mul", seeds=range(5)).batch(70)
    for position, name in ((0, "U-20..-10"), (4, "U-2..2"), (8, "U10..20")):
        for seed in (0, 3):
            alone = make_data("mul", (name,), range(seed, seed + 1)).batch(70)
            assert torch.equal(x.view(9, 5, 16, 2)[position, seed], alone[0][0])
            assert torch.equal(y.view(9, 5, 16, 1)[position, seed], alone[1][0])


def test_seeds_and_steps_see_different_numbers() -> None:
    data = make_data("add", ("U1..2",))
    first, second = data.batch(0)[0].clone(), data.batch(1)[0].clone()
    batches = [*first, *second]
    assert all(not torch.equal(batches[i], batches[j]) for i in range(6) for j in range(i))


def exact(cell: str, op: str, inputs: int) -> nn.Module:
    """A unit with the weights of an operation set by hand, in float64."""
    weights = torch.zeros(1, inputs, dtype=torch.float64)
    weights[0, 0] = 1
    weights[0, 1] = {"add": 1, "sub": -1, "mul": 1, "div": -1}[op]
    model = build(cell, inputs).double()
    with torch.no_grad():
        if hasattr(model, "M_hat"):
            model.W_hat.copy_(40 * weights)
            model.M_hat.copy_(40 * weights.abs())
        else:
            model.W_hat.copy_(weights)
    if cell == "nac-mul":
        model.eps = 1e-12
    return model


@pytest.mark.parametrize("inputs", [2, 10])
@pytest.mark.parametrize(
    ("cell", "op"),
    [
        ("nac", "add"),
        ("nac", "sub"),
        ("nau", "add"),
        ("nau", "sub"),
        ("nmu", "mul"),
        ("nac-mul", "mul"),
        ("nac-mul", "div"),
    ],
)
def test_a_unit_of_exact_weights_is_solved_on_every_range(cell: str, op: str, inputs: int) -> None:
    """NAC-mul loses the sign, which the product and the quotient of two numbers of one sign do not have."""
    config = Config(op=op, cell=cell, input_size=inputs)
    model = exact(cell, op, inputs)
    for name, x, y in zip(RANGES, *make_data(op, inputs=inputs, eval_size=500).extrapolation, strict=True):
        if cell == "nac-mul" and name == "U-2..2":
            y = y.abs()
        error = (model(x.double()) - y).square().mean()
        assert error < config.threshold(name, STRICT_EPSILON)


@pytest.mark.parametrize(("cell", "op"), [("nac", "sub"), ("nmu", "mul")])
def test_weights_off_by_more_than_epsilon_are_not_solved(cell: str, op: str) -> None:
    for off, solved in ((0.5 * EPSILON, True), (2 * EPSILON, False)):
        model = exact("nau" if cell == "nac" else cell, op, 2)
        with torch.no_grad():
            # As the threshold has it: every weight is off to the side that does not cancel.
            model.W_hat -= off * torch.tensor([1.0, 1.0], dtype=torch.float64)
        x, y = make_data(op, ("U1..2",), eval_size=2000).extrapolation
        error = (model(x[0].double()) - y[0]).square().mean()
        assert (error < of_unit(op, (2, 6))).item() is solved


def test_metrics_over_ranges_are_those_of_the_worst_range() -> None:
    config = Config(op="mul", cell="nmu", seeds=3, steps=3, eval_every=3, eval_size=100, device="cpu")
    *_, last = train(config)
    metrics = last.metrics
    for name in ("interpolation/error", "extrapolation/error", "weights/sparsity"):
        by_range = torch.stack([metrics[f"{name}/{bounds}"] for bounds in RANGES])
        assert torch.equal(metrics[name], by_range.amax(dim=0))
    model = last.model.member(3 * list(RANGES).index("U0.1..0.2") + 1)
    x, y = make_data("mul", ("U0.1..0.2",), eval_size=100).extrapolation
    with torch.no_grad():
        error = (model(x[0]) - y[0]).square().mean()
    torch.testing.assert_close(metrics["extrapolation/error/U0.1..0.2"][1], error)


def record_of(columns: dict[str, list[list[float]]]) -> Record:
    """Ticks by seeds, of two ranges."""
    metrics = {name: np.array(values) for name, values in columns.items()}
    ticks, seeds = next(iter(metrics.values())).shape
    return Record(1000 * np.arange(ticks), np.arange(seeds), metrics)


def test_each_range_chooses_its_own_step_by_validation() -> None:
    nan, small, strict = np.nan, 1e-7, 1e-10
    config = Config(op="add", cell="nac", seeds=3, steps=2000, ranges=("U1..2", "U10..20"))
    assert strict < of_unit("add", (2, 6), epsilon=STRICT_EPSILON) < small < of_unit("add", (2, 6))
    result = score(
        config,
        record_of(
            {  # seeds: solved in both ranges, in one of them at a step that validation does not choose, diverged
                "interpolation/error/U1..2": [[9.0, 9.0, 9.0], [1.0, 2.0, 1.0], [2.0, 1.0, nan]],
                "extrapolation/error/U1..2": [[small, 9.0, 9.0], [strict, small, 5.0], [7.0, 6.0, nan]],
                "weights/sparsity/U1..2": [[0.3, 0.3, 0.3], [0.1, 0.2, 0.4], [0.2, 0.3, nan]],
                "interpolation/error/U10..20": [[9.0, 9.0, 9.0], [2.0, 2.0, nan], [1.0, 1.0, nan]],
                "extrapolation/error/U10..20": [[9.0, 9.0, 9.0], [8.0, small, nan], [small, small, nan]],
                "weights/sparsity/U10..20": [[0.3, 0.3, 0.3], [0.1, 0.2, nan], [0.25, 0.125, nan]],
            }
        ),
    )
    outcomes = {name: outcome.tolist() for name, outcome in result.outcomes.items()}
    assert outcomes == {
        "solved": [True, False, False],
        "diverged": [False, False, True],
        "solved/U1..2": [True, False, False],
        "solved_strictly/U1..2": [True, False, False],
        "solved_ever/U1..2": [True, True, False],
        "solved/U10..20": [True, True, False],
        "solved_strictly/U10..20": [True, True, False],
        "solved_ever/U10..20": [True, True, False],
    }
    np.testing.assert_equal(result.values["extrapolation/error"], [small, 6.0, np.inf])
    np.testing.assert_equal(result.values["extrapolation/error/U1..2"], [strict, 6.0, 5.0])
    np.testing.assert_equal(result.values["solved_at_step/U1..2"], [1000, nan, nan])
    np.testing.assert_equal(result.values["solved_at_step/U10..20"], [2000, 1000, nan])
    np.testing.assert_equal(result.values["weights/sparsity/U10..20"], [0.25, 0.125, nan])


@pytest.mark.parametrize(("cell", "op"), [("nac", "sub"), ("nmu", "mul")])
def test_a_seed_of_a_range_is_the_same_alone_and_among_others(cell: str, op: str, tmp_path: Path) -> None:
    """In the records, over 100 steps, in float32."""
    many = Config(op=op, cell=cell, seeds=4, steps=100, eval_every=20, eval_size=100, device="cpu")
    together = run(TASK, many, tmp_path / "many").record()
    one = replace(many, first_seed=3, seeds=1, ranges=("U-1.2..-1.1",))
    alone = run(TASK, one, tmp_path / "one").record()
    for name in ("interpolation/error", "extrapolation/error", "weights/sparsity"):
        name = f"{name}/U-1.2..-1.1"
        np.testing.assert_allclose(together[name][:, 3], alone[name][:, 0], rtol=1e-4, atol=1e-7, err_msg=name)


def test_published_settings() -> None:
    assert recipe("nac", "add").learning_rate == 1e-3
    assert [recipe("nmu", "mul").penalty_at(step / 50) for step in (20, 27.5, 35, 50)] == pytest.approx([0, 5, 10, 10])
    assert recipe("nau", "sub").penalty_at(1) == pytest.approx(0.01)
    assert recipe("nac", "add").penalty_at(1) == 0


@pytest.mark.parametrize("cell", UNITS)
def test_every_unit_trains(cell: str) -> None:
    config = Config(op=UNITS[cell].operations[0], cell=cell, seeds=2, steps=5, eval_every=5, eval_size=20, device="cpu",
                    ranges=("U1..2", "U10..20"))  # fmt: skip
    before, after = (snapshot.metrics["train/loss"].clone() for snapshot in train(config))
    assert torch.isfinite(after).all()
    assert (before != after).all()


@pytest.mark.parametrize(("cell", "op"), [("inalu", "mul"), ("snmu", "mul")])
def test_units_with_a_state_of_their_own_go_on_exactly(cell: str, op: str) -> None:
    """New starts of the iNALU, noise of the sNMU."""
    config = Config(op=op, cell=cell, seeds=2, steps=6, eval_every=2, eval_size=20, ranges=("U1..2",), device="cpu")
    saved, losses = io.BytesIO(), []
    for snapshot in train(config):
        if snapshot.step == 2:
            torch.save(snapshot.state, saved)
        losses.append(snapshot.metrics["train/loss"].clone())
    saved.seek(0)
    resumed = [
        snapshot.metrics["train/loss"].clone() for snapshot in train(config, torch.load(saved, weights_only=True))
    ]
    assert torch.equal(torch.stack(resumed), torch.stack(losses[2:]))


def test_evaluation_draws_no_noise() -> None:
    """The sNMU answers as the NMU, also where its weights are not yet 0 or 1."""
    config = Config(op="mul", cell="snmu", seeds=1, steps=1, eval_size=50, ranges=("U1..2",), device="cpu")
    snapshot = next(iter(train(config)))
    x, y = make_data("mul", ("U1..2",), eval_size=50).validation
    W = snapshot.model.stacked()["W_hat"].detach()
    product = (W * x[0].unsqueeze(-2) + 1 - W).prod(dim=-1)
    torch.testing.assert_close(snapshot.metrics["interpolation/error"][0], (product - y[0]).square().mean())
    assert snapshot.model.training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 1}, "--input-size must lie in 2..2147483647, got 1"),
        ({"ranges": ()}, "--ranges must name at least one range, got none"),
        ({"ranges": ("U1..2", "U1..2")}, "--ranges must differ, got U1..2 U1..2"),
        ({"ranges": ("U3..4",)}, "--ranges must be among U-20..-10, .*, got U3..4"),
        ({"learning_rate": 0.0}, "--learning-rate must be above 0, got 0.0"),
        ({"eval_size": 0}, "--eval-size must lie in 1..2147483647, got 0"),
    ],
)
def test_values_that_cannot_be_used(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Config(**options)


def test_tables_and_figures_of_partial_and_larger_runs(tmp_path: Path) -> None:
    small = Config(op="mul", cell="nmu", seeds=2, steps=4, eval_every=2, eval_size=20, device="cpu")
    runs = [
        run(TASK, small, tmp_path / "all"),
        run(TASK, replace(small, ranges=("U1..2",), input_size=10), tmp_path / "one"),
        run(TASK, replace(small, op="add", cell="nau"), tmp_path / "add"),
    ]
    add, mul = TASK.tables(runs)
    assert [row[0] for row in mul.rows] == ["nmu", "nmu, 10 inputs"]
    assert add.rows[0][1:10] == ["0/2"] * 9
    assert mul.rows[1][1:10] == ["–"] * 6 + ["0/2", "–", "–"]
    assert mul.rows[1][10:12] == ["0 % [0, 66]", "0/2"]
    assert mul.rows[0][11] == "0/18"
    assert set(TASK.figures(runs)) == {"add", "mul"}
