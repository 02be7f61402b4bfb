"""Static arithmetic: data, thresholds in closed form, and the score of records made by hand."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nalu import Ensemble
from tasks.harness.errors import OptionError
from tasks.harness.record import Record
from tasks.harness.training.run import run
from tasks.static_arithmetic import TASK, conditioning, gated_heads, heads
from tasks.static_arithmetic.data import OPERATIONS, Data, Subsets, spread
from tasks.static_arithmetic.loss import centred_loss, squared_error
from tasks.static_arithmetic.model import Cell, build
from tasks.static_arithmetic.paper import figures, score, tables
from tasks.static_arithmetic.threshold import EPSILON, published, threshold
from tasks.static_arithmetic.train import Config, train, training_loss
from tests.helpers import inverse_tanh

DEFAULT = Config().subsets


def make_data(op: str = "add", seeds: range = range(3), **options: object) -> Data:
    defaults = {
        "interpolation_range": (1.0, 2.0),
        "extrapolation_range": (2.0, 6.0),
        "batch_size": 16,
        "eval_size": 50,
        "device": torch.device("cpu"),
    }
    return Data(op, DEFAULT, seeds, **{**defaults, **options})


def test_the_subsets_of_the_protocol() -> None:
    assert Subsets(inputs=100, size=25, overlap=12) == DEFAULT
    for seed in range(50):
        a, b = DEFAULT.masks(seed)
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
    data = make_data(op, range(4, 7))
    x, y = data.batch(3)
    assert x.shape == (3, 16, 100)
    assert 1 <= x.min() < x.max() < 2
    for k, seed in enumerate(range(4, 7)):
        masks = DEFAULT.masks(seed).numpy().astype(bool)
        a, b = (x[k].double().numpy()[:, mask].sum(1) for mask in masks)
        np.testing.assert_allclose(y[k, :, 0], functions[op](a, b), rtol=1e-5, atol=1e-5)
        inputs, targets = data.extrapolation
        a, b = (inputs.double().numpy()[:, mask].sum(1) for mask in masks)
        np.testing.assert_allclose(targets[k, :, 0], functions[op](a, b), rtol=1e-6)


def test_evaluation_sets_are_those_of_the_reproduction_study() -> None:
    data = make_data(eval_size=10)
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
    for subsets in (DEFAULT, published(DEFAULT)):
        k, o = subsets.size, subsets.overlap
        neither, only_one = n - subsets.span, 2 * (k - o)
        add = EPSILON**2 * ((mean * 2 * (neither - o)) ** 2 + 4 * variance * (neither + o))
        assert threshold("add", subsets, (2.0, 6.0)) == pytest.approx(add, rel=0.005)
        assert threshold("sub", subsets, (2.0, 6.0)) == pytest.approx(EPSILON**2 * 4 * variance * only_one, rel=0.005)


@pytest.mark.parametrize(
    ("op", "value"),
    [("add", 1.47861742e-05), ("sub", 1.38437045e-08), ("mul", 0.160010659), ("div", 4.93805490e-12),
     ("square", 0.159473806), ("root", 8.95525993e-09)],
)  # fmt: skip
def test_published_thresholds(op: str, value: float) -> None:
    assert threshold(op, published(DEFAULT), (2.0, 6.0)) == pytest.approx(value, rel=0.01)


def test_thresholds_of_the_data_set_as_it_is() -> None:
    assert threshold("add", DEFAULT, (2.0, 6.0)) == pytest.approx(1.60395e-05, rel=0.005)
    assert threshold("mul", DEFAULT, (2.0, 6.0)) == pytest.approx(0.1606, rel=0.005)


@pytest.mark.parametrize(("bounds", "value"), [((-6.0, -2.0, 2.0, 6.0), 2.30716e-4), ((0.2, 2.0), 9.19984e-4)])
def test_published_thresholds_of_other_ranges(bounds: tuple[float, ...], value: float) -> None:
    assert threshold("mul", published(DEFAULT), bounds) == pytest.approx(value, rel=0.02)


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
    x, y = make_data(op, range(1), eval_size=500).extrapolation
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
        ({"cell": "heads", "hidden_size": 3}, "--cell heads has a --hidden-size of 2, got 3"),
        ({"cell": "heads", "bias_weight": 0.1}, "--cell heads has losses of its own, got --bias-weight 0.1"),
        ({"cell": "nac", "exponents": "learned"}, "--exponents is for --cell heads and gated-heads, got learned"),
        ({"cell": "heads", "batch_size": 1}, "--batch-size must be at least 2 for --cell heads, got 1"),
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
        {"cell": "heads", "warm_up": 0.0, "exponents": "learned"},
    ],
)
def test_preconditioning_does_not_mix_seeds(options: dict[str, object]) -> None:
    config = Config(**options, seeds=4, steps=5, eval_size=50, learning_rate=0.001, device="cpu")
    *_, together = train(config)
    *_, alone = train(replace(config, first_seed=3, seeds=1))
    for name, single in alone.model.stacked().items():
        torch.testing.assert_close(together.model.stacked()[name][3:], single, rtol=1e-3, atol=1e-5)


def test_the_weight_of_the_common_error() -> None:
    """Errors -1, 1, 2, 2: mean square 2.5, mean 1, variance 1.5."""
    target = torch.zeros(1, 4, 1)
    prediction = torch.tensor([-1.0, 1.0, 2.0, 2.0]).view(1, 4, 1)
    assert squared_error(prediction, target).tolist() == [2.5]
    for weight in (0.0, 0.25, 1.0):
        expected = pytest.approx([1.5 + weight])
        assert centred_loss(prediction, target, weight).tolist() == expected
        assert training_loss(Config(bias_weight=weight), torch.nn.Identity(), prediction, target).tolist() == expected


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


def exact_heads(seeds: range) -> Ensemble:
    """Heads whose rows are those of every seed's subsets: exact for add, mul and div."""
    model = Ensemble(lambda: heads.Heads(100, "given", 1.5), seeds, natively_batched=True)
    masks = torch.stack([DEFAULT.masks(seed) for seed in seeds])
    with torch.no_grad():
        model.template.sum.W.copy_(masks)
        for head in (model.template.product, model.template.quotient):
            head.W_hat.copy_(masks)
    return model


@pytest.mark.parametrize(("op", "head"), [("add", 0), ("mul", 1), ("div", 2)])
def test_validation_chooses_the_head(op: str, head: int) -> None:
    config = Config(op=op, cell="heads")
    data = make_data(op, range(3), eval_size=300)
    model = exact_heads(range(3))
    result = heads.evaluate(model.template, data.validation, data.extrapolation)
    assert result["chosen/head"].tolist() == [head] * 3
    assert (result["extrapolation/error"] < config.threshold()).all()
    assert (result["weights/sparsity"] < 1e-5).all()


def test_snapped_heads_are_candidates_and_the_choice_does_not_see_extrapolation() -> None:
    data = make_data("mul", range(3), eval_size=300)
    model = exact_heads(range(3))
    with torch.no_grad():
        model.template.product.W_hat.add_(0.1 * torch.rand(3, 2, 100))
        model.template.product.scale.add_(0.01)
        model.template.product.W_hat[2] = torch.nan
        model.template.quotient.W_hat[2] = torch.nan
    result = heads.evaluate(model.template, data.validation, data.extrapolation)
    assert result["chosen/head"].tolist() == [1, 1, 0]
    assert result["chosen/snapped"].tolist()[:2] == [1, 1]
    assert (result["extrapolation/error"][:2] < Config(op="mul", cell="heads").threshold()).all()
    assert (result["unsnapped/extrapolation"] > 1).all()
    assert result["interpolation/error"].isfinite().all()

    inputs, targets = data.extrapolation
    misleading = heads.evaluate(model.template, data.validation, (inputs, 0 * targets))
    assert torch.equal(misleading["chosen/head"], result["chosen/head"])
    assert torch.equal(misleading["interpolation/error"], result["interpolation/error"])


def test_each_head_learns_from_its_own_error_alone() -> None:
    model = Ensemble(lambda: heads.Heads(100, "given", 1.5), range(2), natively_batched=True)
    x, y = make_data("mul", range(2)).batch(0)
    outputs = model(x).detach().requires_grad_()
    heads.loss(outputs, y).sum().backward()
    together = outputs.grad.clone()
    for head in range(3):
        alone = outputs.detach().clone()
        others = [other for other in range(3) if other != head]
        alone[..., others] = alone[..., others] + 1
        alone.requires_grad_()
        heads.loss(alone, y).sum().backward()
        torch.testing.assert_close(alone.grad[..., head], together[..., head])


def test_only_learned_exponents_move_apart() -> None:
    for exponents, p in (("given", 1.0), ("learned", 0.3)):
        config = Config(op="div", cell="heads", exponents=exponents, seeds=2, steps=5, eval_size=20, device="cpu")
        first, last = (s.model.member(0).quotient.P.detach() for s in train(config))
        torch.testing.assert_close(first, torch.tensor([[p, -p]]))
        assert torch.equal(last[:, 0] - last[:, 1], first[:, 0] - first[:, 1]) == (exponents == "given")
        assert not torch.equal(last.sum(), first.sum())


def gated(seeds: range) -> Ensemble:
    return Ensemble(lambda: gated_heads.GatedHeads(100, "learned"), seeds, natively_batched=True)


def test_gated_heads_share_their_first_layer() -> None:
    model = gated(range(3))
    x = torch.rand(3, 8, 100) + 1
    assert [name for name, p in model.named_parameters() if p.shape[-1] == 100] == ["template.product.W_hat"]
    torch.testing.assert_close(model.template.apart()(x), model(x))


def test_the_gate_weighs_logarithms_of_losses() -> None:
    """With variances of 1 in the targets' and a gate of (1/2, 1/4, 1/4)."""
    generator = torch.Generator().manual_seed(0)
    target = (torch.randn(1, 4096, 1, generator=generator) / 3).exp()
    outputs = target.log().expand(1, 4096, 3).clone()
    outputs[..., 0] = target[..., 0]
    factors = torch.tensor([0.9, 0.8, 0.5])  # so that errors vary as 0.1, 0.2 and 0.5 times the targets do
    mean = outputs.mean(dim=1, keepdim=True)
    gate = torch.tensor([2.0, 1.0, 1.0]).log().view(1, 1, 3)
    result = gated_heads.loss(mean + factors * (outputs - mean), target, gate)
    parts = (1 - factors).square().log()
    torch.testing.assert_close(result, (parts[0] / 2 + parts[1] / 4 + parts[2] / 4).view(1), rtol=1e-3, atol=0)


@pytest.mark.parametrize("head", range(3))
def test_only_the_head_of_the_gate_is_a_candidate(head: int) -> None:
    """Rows of the subsets, mul: the product is exact, the quotient is once refitted, and the sum never."""
    model = gated(range(2))
    network = model.template
    with torch.no_grad():
        masks = torch.stack([DEFAULT.masks(seed) for seed in range(2)])
        network.product.W_hat.copy_(masks)
        network.product.half_sum.fill_(1)
        network.gate[..., head] = 3
    config = Config(op="mul")
    data = make_data("mul", range(2))
    result = gated_heads.evaluate(model, data.validation, data.extrapolation)
    assert (result["chosen/head"] == head).all()
    assert (result["extrapolation/error"] < config.threshold()).tolist() == [head > 0] * 2
    assert (result["unsnapped/extrapolation"] < config.threshold()).tolist() == [head == 1] * 2


def test_heads_train_go_on_exactly_and_report(tmp_path: Path) -> None:
    config = Config(op="sub", cell="heads", seeds=3, steps=40, eval_every=20, eval_size=100, device="cpu")
    first, middle, last = ((s.step, {n: v.clone() for n, v in s.metrics.items()}, s.state) for s in train(config))
    assert (last[1]["train/loss"] < first[1]["train/loss"]).all()
    saved = io.BytesIO()
    generator = train(config)
    next(generator)
    torch.save(next(generator).state, saved)
    saved.seek(0)
    (resumed,) = train(config, torch.load(saved, weights_only=True))
    assert (middle[0], resumed.step) == (20, 40)
    for name, value in last[1].items():
        assert torch.equal(resumed.metrics[name], value), name
    alone = [s.metrics for s in train(replace(config, first_seed=2, seeds=1))][-1]
    torch.testing.assert_close(alone["train/loss"], last[1]["train/loss"][2:], rtol=1e-3, atol=0)

    runs = [run(TASK, config, tmp_path / "heads"), run(TASK, replace(config, cell="nac"), tmp_path / "plain")]
    runs.append(run(TASK, replace(config, cell="nac", mean_split="inputs"), tmp_path / "split"))
    runs.append(run(TASK, replace(config, cell="nac", op="add"), tmp_path / "unit"))
    units, chosen, study = tables(runs)
    assert [row[0] for row in units.rows] == ["add nac"]
    assert [row[0] for row in chosen.rows] == ["sub"]
    assert "Priors" in " ".join(chosen.notes)
    assert [row[:2] for row in study.rows] == [["nac", "sub"]]
    assert study.header[2::2][:2] == ["plain", "split inputs"]
    assert set(figures(runs)) == {"success", "conditioning"}
    assert not figures(runs[:1])
    for split in ("none", "inputs"):
        short = replace(config, cell="nau", op="mul", mean_split=split, steps=20)
        runs.append(run(TASK, short, tmp_path / f"other-{split}"))
    _, _, study = tables(runs)
    assert [row[:2] for row in study.rows] == [["nac", "sub"], ["nau", "mul"]]
    assert "conditioning" in figures(runs)  # though not every cell has every operation
