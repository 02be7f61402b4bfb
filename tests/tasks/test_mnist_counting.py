"""MNIST counting and addition: answers by brute force, networks with exact weights, records made by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nalu import Ensemble
from tasks.harness.errors import OptionError
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.training.run import run
from tasks.mnist_counting import TASK, digits
from tasks.mnist_counting.data import PROBLEMS, TARGETS, Data, answers, digit_accuracy
from tasks.mnist_counting.digits import Digits, DigitSets
from tasks.mnist_counting.figures import constant_error
from tasks.mnist_counting.model import ARITHMETIC, BASELINES, CELLS, Encoder, build_recurrent, penalty, snapped
from tasks.mnist_counting.options import SMOKE, Config
from tasks.mnist_counting.pictures import confusion_matrix, draw_strip, pictures
from tasks.mnist_counting.published import TRASK
from tasks.mnist_counting.results import _reference_errors, priors, score, success_threshold, tables
from tasks.mnist_counting.sweep import SWEEP, without_priors
from tasks.mnist_counting.train import build, squared_error, train

CPU = torch.device("cpu")


def made_digits(count: int, first: int = 0) -> Digits:
    """Image i has the label i % 10; its first two pixels encode i."""
    number = torch.arange(first, first + count)
    images = torch.zeros(count, 28, 28, dtype=torch.uint8)
    images[:, 0, 0], images[:, 0, 1] = number % 251, number // 251
    return Digits(images, number % 10)


SETS = DigitSets(made_digits(500), made_digits(100, 500), made_digits(200, 600))


def make_data(target: str = "counting", seeds: range = range(3)) -> Data:
    return Data(target, SETS, seeds, batch_size=4, eval_size=1000, device=CPU)


def number_of(images: torch.Tensor) -> torch.Tensor:
    return images[..., 0, 0].long() + 251 * images[..., 0, 1].long()


def test_answers_by_brute_force() -> None:
    labels = torch.from_numpy(np.random.RandomState(0).randint(1, 10, size=(5, 7)))
    for n, row in enumerate(labels.tolist()):
        for t in range(7):
            seen = row[: t + 1]
            counts = [seen.count(digit) for digit in range(10)]
            assert answers("counting", labels)[n, t].tolist() == counts
            assert answers("addition", labels)[n, t].tolist() == [sum(seen)]
            assert answers("cumsum", labels)[n, t].tolist() == [sum(seen)]
            assert answers("product", labels)[n, t].tolist() == [float(np.prod(seen))]
    assert answers("product", torch.full((20,), 9))[-1].item() == pytest.approx(9.0**20)


def test_series_are_a_pure_function_of_seed_and_step() -> None:
    many, one = make_data(seeds=range(3)), make_data(seeds=range(1, 2))
    later, _ = one.batch(70)
    first, target = one.batch(0)
    assert first.shape == (1, 4, 10, 28, 28)
    assert target.shape == (1, 4, 10, 10)
    assert torch.equal(many.batch(0)[0][1], first[0])
    assert torch.equal(many.batch(70)[0][1], later[0])
    assert not torch.equal(many.batch(0)[0][1], many.batch(0)[0][2])
    assert not torch.equal(first, later)


@pytest.mark.parametrize("target", TARGETS)
def test_every_digit_comes_from_its_own_set(target: str) -> None:
    data = make_data(target)
    seen: set[int] = set()
    for step in range(20):
        images, correct = data.batch(step)
        numbers = number_of(images)
        seen |= set(numbers.flatten().tolist())
        torch.testing.assert_close(correct, answers(target, numbers % 10))
    allowed = {i for i in range(500) if i % 10 >= PROBLEMS[target].smallest}
    assert seen <= allowed
    for images, series, numbers in (
        (data.validation_images, data.validation, range(500, 600)),
        (data.test_images, data.test[data.problem.lengths[-1]], range(600, 800)),
    ):
        drawn = number_of(images[series.indices])
        assert set(drawn.flatten().tolist()) <= set(numbers)
        torch.testing.assert_close(series.answers, answers(target, drawn % 10)[:, -1])
    assert sorted(data.test[1].indices.flatten().tolist()) == list(range(len(data.test_images)))


def recurrent(cell: str, target: str = "counting", **options: object) -> nn.Module:
    outputs = PROBLEMS[target].outputs
    defaults = {
        "hidden": 8,
        "product": target == "product",
        "recurrent_start": "identity",
        "input_start": 20.0,
        "gate_bias": 30.0,
        "init": "truncated_normal",
    }
    return build_recurrent(cell, outputs, outputs, **{**defaults, **options})


@pytest.mark.parametrize(("cell", "target"), [
    *((cell, target) for cell in ("nac", "nalu", "nau", "exact") for target in ("counting", "addition", "cumsum")),
    ("nmu", "product"), ("exact", "product"),
])  # fmt: skip
def test_a_cell_with_the_right_weights_counts_exactly(cell: str, target: str) -> None:
    model = recurrent(cell, target).double()
    if cell == "nalu":
        nn.init.zeros_(model.cell.unit.G)
    if cell in ("nau", "nmu"):
        assert set(model.cell.unit.W.flatten().tolist()) <= {0.0, 1.0}
    labels = torch.from_numpy(np.random.RandomState(1).randint(1, 10, size=(3, 20)))
    x = nn.functional.one_hot(labels, 10).double() if target == "counting" else labels.unsqueeze(-1).double()
    torch.testing.assert_close(model(x), answers(target, labels).double(), rtol=1e-3, atol=1e-3)


def test_the_identity_start_is_exact_enough_for_a_thousand_steps() -> None:
    model = recurrent("nac", input_start=20.0)
    labels = torch.arange(1000).unsqueeze(0) % 10
    prediction = model(nn.functional.one_hot(labels, 10).float())[0, -1]
    assert (prediction - 100).abs().max() < 0.5


@pytest.mark.parametrize("cell", CELLS)
def test_networks_of_many_seeds_are_those_of_lone_seeds(cell: str) -> None:
    config = Config(cell=cell, dataset="sample", seeds=3, first_seed=5).resolved()
    together, alone = build(config), build(replace(config, first_seed=6, seeds=1))
    images, _ = make_data().batch(0)
    torch.testing.assert_close(together(images)[1:2], alone(images[1:2]), rtol=1e-4, atol=1e-5, equal_nan=True)
    torch.manual_seed(6)
    lone = Encoder(10, softmax=config.encoder == "softmax")
    features = together.encode(images)
    assert features.shape == (3, 4, 10, 10)
    torch.testing.assert_close(features[1].flatten(0, 1), lone(images[1].flatten(0, 1)), rtol=1e-4, atol=1e-5)
    shared = together.encode_shared(images[1, 0])
    torch.testing.assert_close(shared[1], features[1, 0], rtol=1e-4, atol=1e-5)


def test_a_seed_that_is_nan_leaves_the_others_as_they_are() -> None:
    config = Config(dataset="sample", seeds=2).resolved()
    images, target = make_data(seeds=range(2)).batch(0)

    def gradients(poisoned: bool) -> list[torch.Tensor]:
        model = build(config)
        if poisoned:
            with torch.no_grad():
                model.encoders[0].fc2.bias.fill_(float("nan"))
        (squared_error(model(images), target, config, 0) + penalty(model.recurrent)).sum().backward()
        model.clip_grad_norm_(1.0)
        return [*(p.grad for p in model.encoders[1].parameters()), *(p.grad[1] for p in model.recurrent.parameters())]

    for clean, beside_nan in zip(gradients(False), gradients(True), strict=True):
        assert clean.isfinite().all()
        assert torch.equal(clean, beside_nan)


@pytest.mark.parametrize("cell", ARITHMETIC)
def test_snapping_touches_the_recurrent_weights_only(cell: str) -> None:
    ensemble = Ensemble(lambda: recurrent(cell, recurrent_start="unit", input_start=0.0), range(2))
    before = {name: tensor.clone() for name, tensor in ensemble.stacked().items()}
    unit = snapped(ensemble).template.cell.unit
    W = ensemble.template.cell.unit.W
    assert torch.equal(unit.W[..., :10], W[..., :10])
    torch.testing.assert_close(unit.W[..., 10:], W[..., 10:].round())
    for name, tensor in ensemble.stacked().items():
        assert torch.equal(tensor, before[name])


def test_penalty_is_zero_for_whole_weights_only() -> None:
    whole = Ensemble(lambda: recurrent("nau"), range(2))
    half = Ensemble(lambda: recurrent("nau"), range(2))
    half.template.cell.unit.W_hat.data[1, 0, 10] = 0.75
    assert penalty(whole).tolist() == [0, 0]
    assert penalty(half).tolist() == [0, 0.25]


def test_the_loss() -> None:
    last, every = Config(dataset="sample"), Config(dataset="sample", target="cumsum")
    predictions = torch.zeros(2, 4, 3, 1)
    target = torch.arange(24.0).view(2, 4, 3, 1)
    assert squared_error(predictions, target, last, 1.0)[0] == pytest.approx(np.mean([2**2, 5**2, 8**2, 11**2]))
    assert squared_error(predictions, target, every, 1.0)[0] == pytest.approx(np.mean(np.arange(12) ** 2))
    for weight in (0.01, torch.tensor(0.1)):
        expected = np.var([2, 5, 8, 11]) + float(weight) * 6.5**2
        assert squared_error(predictions, target, last, weight)[0] == pytest.approx(expected)
    centred = replace(last, bias_weight=0.01)
    steps = (0, last.steps // 2, last.steps)
    assert [centred.bias_weight_at(step) for step in steps] == pytest.approx([0.01, 0.1, 1])


def test_accuracy_of_single_digits() -> None:
    target = answers("counting", torch.tensor([[3], [4]]))[:, -1]
    assert digit_accuracy(torch.stack([target, target.flip(0)]), target).tolist() == [1, 0]
    numbers = torch.tensor([[3.0], [4.0]])
    assert digit_accuracy(torch.tensor([[[3.4], [4.6]]]), numbers).tolist() == [0.5]


@pytest.mark.parametrize("length", [1, 10, 100])
def test_the_error_of_a_constant_answer(length: int) -> None:
    drawn = np.random.RandomState(0).binomial(length, 0.1, size=200_000)
    assert constant_error(length) == pytest.approx(np.abs(drawn - 1).mean(), rel=0.01)


def test_the_published_baselines_are_at_twice_the_constant_answer() -> None:
    assert constant_error(100) == pytest.approx(9, rel=0.01)
    assert float(TRASK["counting"]["lstm"][2]) == pytest.approx(2 * constant_error(100), rel=0.05)


def test_exact_seeds_that_cannot_recognise_digits_set_no_threshold() -> None:
    accuracy, errors = np.array([0.8, 0.0, 0.7]), np.array([1.0, 50.0, 3.0])
    exact = FinishedRun(Path(), {}, {}, {"accuracy/digit": accuracy, "squared/length_20": errors})
    assert _reference_errors(exact, 20).tolist() == [1, 3]


def test_success_threshold() -> None:
    errors = np.array([1.0, 2.0, 3.0])
    assert success_threshold(errors) == pytest.approx(2 + 6.965 / 3**0.5, rel=1e-3)
    assert np.isnan(success_threshold(errors[:1]))


def test_defaults_by_target_and_cell() -> None:
    for target in TARGETS:
        for cell in CELLS:
            config = Config(target=target, cell=cell, dataset="sample").resolved()
            assert None not in [value for name, value in config.to_dict().items() if name != "hidden_size"]
            assert config.resolved() == config
            has_none = cell in BASELINES or (cell not in ARITHMETIC and target != "counting")
            assert (priors(config.to_dict()) == "none") == has_none
    assert priors(without_priors(Config(cell="nalu", dataset="sample")).to_dict()) == "none"


def test_config_names_the_digits_that_were_used(monkeypatch: pytest.MonkeyPatch) -> None:
    digits.resolve.cache_clear()
    digits.fetch.cache_clear()
    monkeypatch.setattr(digits, "fetch", lambda root: "no network")
    assert Config(dataset="auto", data_dir="nowhere").to_dict()["dataset"] == "sample"
    digits.resolve.cache_clear()
    monkeypatch.setattr(digits, "fetch", lambda root: None)
    assert Config(dataset="auto", data_dir="nowhere").to_dict()["dataset"] == "mnist"
    digits.resolve.cache_clear()


@pytest.mark.parametrize(("options", "message"), [
    ({"encoder_rate": 0.0}, "--encoder-rate must be above 0"),
    ({"hidden_size": 8}, "--hidden-size is not for --cell nac"),
    ({"cell": "nac", "gate_bias": 1.0}, "--gate-bias needs --cell nalu, got nac"),
    ({"cell": "lstm", "penalty": 1.0}, "--penalty 1.0 needs a cell among nac, nalu, nau, nmu, got lstm"),
    ({"cell": "gru", "recurrent_start": "identity"}, "--recurrent-start identity needs a cell among nac,"),
    ({"input_start": -1.0}, "--input-start must be a number that is not negative, got -1.0"),
    ({"bias_weight": float("nan")}, "--bias-weight must be above 0"),
])  # fmt: skip
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Config(**options)


def test_quick_and_smoke_need_no_network() -> None:
    assert {config.dataset for config in (SMOKE, *SWEEP["quick"])} == {"sample"}
    assert {config.dataset for config in (*SWEEP["standard"], *SWEEP["full"])} == {"mnist"}


def test_validation_chooses_the_step_and_whether_to_snap() -> None:
    ticks = 3
    columns = {
        "interpolation/error": [[9, 9, 9, 9], [2, 1, 5, np.nan], [1, 2, 5, np.nan]],
        "extrapolation/error": [[0, 0, 0, 0], [20, 10, 50, np.nan], [11, 22, 50, np.nan]],
        "snapped/interpolation": [[0, 0, 0, 0], [2, 1, 6, np.nan], [0.5, 2, 6, np.nan]],
    }
    config = Config(dataset="sample", seeds=4)
    for n in config.problem.lengths:
        columns[f"curve/{n}"] = columns["extrapolation/error"]
        columns[f"snapped/{n}"] = [[0] * 4, [7, 6, 5, 4], [3, 2, 1, 0]]
        columns[f"exact/{n}"] = [[0.5, 0.5, 0.5, np.nan]] * ticks
    columns["accuracy/digit"] = columns["weights/sparsity"] = [[0.5] * 4] * ticks
    metrics = {name: np.array(rows, dtype=float) for name, rows in columns.items()}
    result = score(config, Record(np.arange(ticks), np.arange(4), metrics))
    assert result.values["interpolation/error"].tolist() == [1, 1, 5, np.inf]
    assert result.values["error/length_1000"].tolist() == [11, 10, 50, np.inf]
    assert result.values["summed/length_1000"].tolist() == [110, 100, 500, np.inf]
    assert result.outcomes["snapped"].tolist() == [True, True, False, False]
    assert result.values["selected/length_1000"].tolist() == [3, 6, 50, np.inf]
    assert result.values["exact/length_10"].tolist() == [0.5, 0.5, 0.5, 0]
    assert result.outcomes["diverged"].tolist() == [False, False, False, True]


def test_success_is_measured_against_the_exact_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.mnist_counting.results.LEAST_DIGIT_ACCURACY", 0.0)  # two steps are too few
    small = replace(SMOKE, target="product", steps=2, eval_every=1, eval_size=100)
    runs = [run(TASK, replace(small, cell=cell), tmp_path / cell) for cell in ("exact", "nmu", "lstm")]
    (table,) = tables(runs)
    column = list(table.header).index("success at 20")
    success = {row[0]: row[column] for row in table.rows}
    assert success["exact"] == "–"
    assert "%" in success["nmu"]
    assert "%" in success["lstm"]
    assert any("SAMPLE" in note for note in table.notes)
    (figure,) = TASK.figures(runs).values()
    assert len(figure.axes[0].lines) >= 3


def test_pictures() -> None:
    data = make_data()
    model = build(Config(dataset="sample", seeds=2).resolved())
    drawn = {tag: draw() for tag, draw in pictures(data, model, 7).items()}
    assert list(drawn) == ["digits/strip/seed_7", "digits/confusion/seed_7"]
    assert all(figure.axes for figure in drawn.values())
    assert draw_strip(torch.zeros(2, 28, 28), torch.ones(1), torch.ones(1)).axes
    matrix = confusion_matrix(torch.tensor([1, 1, 2]), torch.tensor([1, 7, 2]))
    assert (matrix[1, 1], matrix[1, 7], matrix[2, 2], matrix.sum()) == (1, 1, 1, 3)


def test_nalu_reports_its_gate() -> None:
    *_, last = train(replace(SMOKE, cell="nalu", steps=1, eval_every=1, eval_size=100))
    assert (last.metrics["gate/mean"] > 0.99).all()
