"""Static arithmetic: exact networks, options, and the score of records made by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.harness.errors import OptionError
from tasks.harness.record import Record
from tasks.harness.training.run import run
from tasks.static_arithmetic import TASK, conditioning
from tasks.static_arithmetic.model import Cell, build
from tasks.static_arithmetic.options import Config
from tasks.static_arithmetic.results import figures, score, tables
from tasks.static_arithmetic.train import train, training_loss
from tests.helpers import inverse_tanh


@pytest.mark.parametrize(("cell", "op"), [("nac", "add"), ("nac", "sub"), ("nac-mul", "mul"), ("nac-mul", "div"),
                                          ("nac-mul", "square"), ("nac-mul", "root"), ("nmu", "mul"), ("nau", "add"),
                                          ("nau", "sub")])  # fmt: skip
def test_a_network_of_exact_weights_is_solved(cell: Cell, op: str) -> None:
    """Hidden units that sum the two subsets, and an output unit that combines them, meet the threshold."""
    config = Config(op=op, cell=cell)
    masks = config.subsets.masks(0)
    output = {"add": [1, 1], "sub": [1, -1], "mul": [1, 1], "div": [1, -1], "square": [2, 0], "root": [0.5, 0]}[op]
    if op == "square":  # weights reach 1 at the most: both hidden units are a
        masks, output = masks[[0, 0]], [1, 1]
    model = build(cell, 100, 2, "glorot_uniform").double()
    with torch.no_grad():
        for layer, W in ((model.hidden, masks.double()), (model.output, torch.tensor([output]).double())):
            layer.W_hat.copy_(W if cell in ("nau", "nmu") and not hasattr(layer, "M_hat") else inverse_tanh(W))
            if hasattr(layer, "M_hat"):
                layer.M_hat.fill_(40)
    if cell == "nac-mul":
        model.output.eps = 0.0
    x, y = replace(config, seeds=1, eval_size=500).data(torch.device("cpu")).extrapolation
    error = (model(x.double()) - y[0].double()).square().mean().item()
    assert error < config.threshold()


def record_of(errors: dict[str, list[list[float]]], directory: Path) -> Record:
    lines = ["step,seed,interpolation/error,extrapolation/error,weights/sparsity"]
    for tick, (inner, outer) in enumerate(zip(errors["inner"], errors["outer"], strict=True)):
        lines += [f"{1000 * tick},{seed},{i},{o},0.125" for seed, (i, o) in enumerate(zip(inner, outer, strict=True))]
    path = directory / "metrics.csv"
    path.write_text("\n".join(lines) + "\n")
    return Record.load(path)


def test_validation_chooses_and_extrapolation_only_reports(tmp_path: Path) -> None:
    small, nan = 1e-9, float("nan")
    record = record_of(
        {  # seeds: solved and kept, solved but validation prefers another step, never solved, diverged
            "inner": [[0.5, 4.0, 4.0, 4.0], [2.0, 3.0, 1.0, nan], [1.0, 1.0, 2.0, nan], [3.0, 2.0, 3.0, nan]],
            "outer": [[50.0, 80.0, 40.0, 40.0], [9.0, small, 4.0, nan], [small, 5.0, 5.0, nan], [7.0, 6.0, 6.0, nan]],
        },
        tmp_path,
    )
    result = score(Config(op="add", cell="nac", seeds=4), record)
    assert result.outcomes["solved"].tolist() == [True, False, False, False]
    assert result.outcomes["solved/ever"].tolist() == [True, True, False, False]
    assert result.outcomes["diverged"].tolist() == [False, False, False, True]
    np.testing.assert_equal(result.values["extrapolation/error"], [small, 5.0, 4.0, np.inf])
    np.testing.assert_equal(result.values["solved_at_step"], [2000, np.nan, np.nan, np.nan])
    np.testing.assert_equal(result.values["weights/sparsity"], [0.125, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(result.values["extrapolation/percent_of_random"], [100 * small / 50, 6.25, 10, np.inf])


@pytest.mark.parametrize("cell", ["nac", "nmu", "linear"])
def test_seed_3_is_the_same_alone_and_among_8(cell: Cell, tmp_path: Path) -> None:
    """In the records, over 200 steps, in float32."""
    eight = Config(op="add", cell=cell, seeds=8, steps=200, eval_every=20, eval_size=100, device="cpu")
    together = run(TASK, eight, tmp_path / "eight").record()
    alone = run(TASK, replace(eight, first_seed=3, seeds=1), tmp_path / "alone").record()
    for name in together.metrics:
        np.testing.assert_allclose(together[name][:, 3], alone[name][:, 0], rtol=1e-4, atol=1e-7, err_msg=name)


def test_schedules() -> None:
    config = Config(cell="nmu", steps=1000, penalty_start=0.2, penalty_end=0.4)
    assert [config.penalty_at(step) for step in (0, 200, 300, 400, 1000)] == pytest.approx([0, 0, 5, 10, 10])
    assert config.learning_rate_at(500) == pytest.approx(config.learning_rate_at(0) / 2)
    constant = Config(schedule="constant", learning_rate=1e-3)
    assert constant.learning_rate_at(49_999) == 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "--seeds must lie in 1..2147483647, got 0"),
        ({"interpolation_range": (2.0, 1.0)}, "--interpolation-range must be LOW HIGH.* got 2 1"),
        ({"extrapolation_range": (-6.0, -2.0, 2.0, 7.0)}, "two intervals of one width, got -6 -2 2 7"),
        (
            {"subset_ratio": 0.9, "overlap_ratio": 0.0},
            "fit into --input-size 100, got 90 inputs each, 0 of them shared",
        ),
        ({"subset_ratio": 0.001}, "got 0 inputs each"),
        ({"learning_rate": -1.0}, "--learning-rate must be above 0, got -1.0"),
        ({"penalty": float("nan")}, "--penalty must be a number that is not negative, got nan"),
        ({"penalty_start": 0.9}, "--penalty-start must lie before --penalty-end"),
        ({"warm_up": 1.5}, r"--warm-up must lie in \[0, 1\], got 1.5"),
        ({"bias_weight": -0.1}, "--bias-weight must be a number that is not negative, got -0.1"),
        ({"bias_weight": 0.1, "batch_size": 1}, "--batch-size must be at least 2 .* got 1"),
    ],
)
def test_values_that_cannot_be_used(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Config(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "nac", "mean_split": "inputs", "bias_weight": 0.001},
        {"cell": "realnpu", "mean_split": "units"},
        {"cell": "relu", "mean_split": "units"},
    ],
)
def test_preconditioning_does_not_mix_seeds(options: dict[str, object]) -> None:
    config = Config(**options, seeds=4, steps=5, eval_size=50, learning_rate=0.001, device="cpu")
    *_, together = train(config)
    *_, alone = train(replace(config, first_seed=3, seeds=1))
    for name, single in alone.model.stacked().items():
        torch.testing.assert_close(together.model.stacked()[name][3:], single, rtol=1e-3, atol=1e-5)


def test_the_condition_of_the_inputs_in_closed_form() -> None:
    """Of x ~ U[1, 2]^n, with the diagonal scaled to 1: E[x x^T] = (1 + 27 J) / 28, where J is all ones."""
    n = 20
    spectra = conditioning.spectra((1.0, 2.0), n, bias_weight=0.01)
    expected = {("none", 1.0): 27, ("none", 0.01): 0.27, ("inputs", 1.0): 0}
    assert set(spectra) == set(expected)
    for arm, ratio in expected.items():
        values = spectra[arm]
        assert len(values) == n
        assert values.sum() == pytest.approx(n if ratio else 1 + n, rel=1e-6)  # one coordinate more: mean, deviations
        if ratio:
            assert values[0] == pytest.approx((1 + ratio * n) / (1 + ratio), rel=0.02)
        assert values[-1] == pytest.approx(1 / (1 + ratio), rel=0.2)


def test_the_loss_of_the_options() -> None:
    """Errors -1, 1, 2, 2: mean square 2.5, mean 1, variance 1.5."""
    prediction = torch.tensor([-1.0, 1.0, 2.0, 2.0]).view(1, 4, 1)
    for weight in (0.0, 0.25, 1.0):
        loss = training_loss(Config(bias_weight=weight), prediction, torch.zeros(1, 4, 1))
        assert loss.tolist() == pytest.approx([1.5 + weight])


def test_runs_that_differ_in_preconditioning_alone_are_a_study(tmp_path: Path) -> None:
    config = Config(op="sub", cell="nac", seeds=3, steps=40, eval_every=20, eval_size=100, device="cpu")
    runs = [run(TASK, config, tmp_path / "plain"), run(TASK, replace(config, mean_split="inputs"), tmp_path / "split")]
    runs.append(run(TASK, replace(config, op="add"), tmp_path / "unit"))
    units, study = tables(runs)
    assert [row[0] for row in units.rows] == ["add nac"]
    assert [row[:2] for row in study.rows] == [["nac", "sub"]]
    assert study.header[2::2][:2] == ["plain", "split inputs"]
    assert set(figures(runs)) == {"success", "conditioning"}
    for split in ("none", "inputs"):
        short = replace(config, cell="nau", op="mul", mean_split=split, steps=20)
        runs.append(run(TASK, short, tmp_path / f"other-{split}"))
    _, study = tables(runs)
    assert [row[:2] for row in study.rows] == [["nac", "sub"], ["nau", "mul"]]
    assert "conditioning" in figures(runs)  # though not every cell has every operation
