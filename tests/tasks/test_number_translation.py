"""Number words: wording, splits, second-order training against closed forms, networks set by hand, read_number."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from num2words import num2words
from torch import nn

from nalu import Ensemble
from tasks.harness.errors import OptionError, UserError
from tasks.harness.files import read_columns
from tasks.harness.record import Record
from tasks.harness.report import evidence
from tasks.harness.report.loading import read_run
from tasks.harness.training.run import run
from tasks.number_translation import TASK
from tasks.number_translation.best_so_far import chosen_network
from tasks.number_translation.data import Data, Language, Split, Wording, split, words
from tasks.number_translation.levenberg_marquardt import LevenbergMarquardt
from tasks.number_translation.model import Kind, MultiplyAdd, Sizes, build, no_op_parameters
from tasks.number_translation.options import RECIPES, Config
from tasks.number_translation.pictures import pictures, values
from tasks.number_translation.read_number import split_words
from tasks.number_translation.results import score
from tasks.number_translation.train import PREDICTIONS, train

ENGLISH = Wording(1000, "en", True)


@pytest.mark.parametrize(
    ("number", "language", "conjunction", "expected"),
    [
        (0, "en", True, "zero"),
        (515, "en", True, "five hundred and fifteen"),
        (515, "en", False, "five hundred fifteen"),
        (742, "en", True, "seven hundred and forty two"),
        (12305, "en", True, "twelve thousand three hundred and five"),
        (235, "es", True, "doscientos treinta y cinco"),
        (91, "fr", True, "quatre vingt onze"),
        (235, "pt", True, "duzentos e trinta e cinco"),
    ],
)
def test_wording(number: int, language: str, conjunction: bool, expected: str) -> None:
    assert " ".join(words(number, language, conjunction)) == expected


def test_vocabulary() -> None:
    """28 number words and "and", as counted by the authors, and zero."""
    assert len(ENGLISH.vocabulary) == 30
    assert {"zero", "and", "hundred", "nineteen", "ninety"} < set(ENGLISH.vocabulary)
    assert len(Wording(1000, "en", False).vocabulary) == 29
    assert set(Wording(1_000_000, "en", True).vocabulary) == {*ENGLISH.vocabulary, "thousand"}


@pytest.mark.parametrize("language", get_args(Language))
def test_no_two_numbers_have_the_same_words_and_their_text_is_read_word_by_word(language: Language) -> None:
    """All numbers below 1000, and the same of thousands and of millions, which bring all other words."""
    numbers = [0, *(k * 1000**power for power in range(3) for k in range(1, 1000))]
    for conjunction in (True, False):
        wording = Wording(10**9, language, conjunction)
        coded = wording.encode_numbers(numbers)
        words_or_padding = torch.where(coded.any(dim=-1), coded.argmax(dim=-1), -1)
        assert len(words_or_padding.unique(dim=0)) == len(numbers)
    for number in numbers[:1000]:
        text = num2words(number, lang=language)
        assert split_words(text.title(), Wording(10**9, language, True)) == words(number, language)


def test_encoding_is_one_hot_and_padded_on_the_left() -> None:
    coded = ENGLISH.encode_numbers([7, 515])
    assert coded.shape == (2, 4, 30)
    assert coded[0, :3].sum() == 0
    decoded = [[ENGLISH.vocabulary[word.argmax()] for word in row if word.any()] for row in coded]
    assert decoded == [["seven"], ["five", "hundred", "and", "fifteen"]]


@pytest.mark.parametrize("seed", range(5))
def test_the_papers_split(seed: int) -> None:
    parts = split(ENGLISH, seed, 169, 200)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [169, 200, 631]
    assert sorted((*parts.train, *parts.validation, *parts.test)) == list(range(1000))
    assert set(range(20)) <= set(parts.train)
    assert {word for number in parts.train for word in words(number)} == set(ENGLISH.vocabulary)
    assert parts == split.__wrapped__(ENGLISH, seed, 169, 200)
    assert parts != split(ENGLISH, seed + 1, 169, 200)


def test_splits_of_a_large_range() -> None:
    parts = split(Wording(1_000_000, "en", True), 3, 500, 200)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [500, 200, 2000]
    assert len({*parts.train, *parts.validation, *parts.test}) == 2700
    digits = np.bincount([len(str(number)) for number in parts.train])
    assert (digits[2:7] > 50).all()
    assert 450_000 < np.mean(parts.test) < 550_000


def test_seeds_share_a_split_with_split_seed() -> None:
    own, common = Config(), Config(split_seed=4)
    assert own.split(1) != own.split(2)
    assert common.split(1) == common.split(2) == own.split(4)


@pytest.mark.parametrize("kind", list(RECIPES))
def test_padding_on_the_left_changes_nothing(kind: Kind) -> None:
    torch.manual_seed(0)
    model = build(
        kind, Sizes(words=30, embedding=6, embedding_std=1.0, hidden=2 if kind != "nalu-cell" else 1, scale=3.0)
    )
    x = ENGLISH.encode_numbers([21, 99])
    padded = torch.cat([torch.zeros(2, 3, 30), x], dim=1)
    torch.testing.assert_close(model(padded), model(x))


def grammar(wording: Wording) -> MultiplyAdd:
    """Hand-set weights that compose English numbers; the state is (value before thousand, value after it)."""
    model = MultiplyAdd(len(wording.vocabulary), 2, 0.0)
    numbers = {words(number)[0]: number for number in (*range(20), *range(20, 100, 10))}
    with torch.no_grad():
        for row, word in enumerate(wording.vocabulary):
            model.M[row] = torch.eye(2)
            model.b[row] = torch.tensor([0.0, numbers.get(word, 0)])
            if word == "hundred":
                model.M[row] = torch.tensor([[1.0, 0.0], [0.0, 100.0]])
            if word == "thousand":
                model.M[row] = torch.tensor([[1.0, 1000.0], [0.0, 0.0]])
    return model


def test_a_multiply_add_network_can_read_all_numbers_below_a_million() -> None:
    wording = Wording(1_000_000, "en", True)
    numbers = [*range(0, 1000, 7), *range(1000, 1_000_000, 9973), 999_999]
    assert grammar(wording)(wording.encode_numbers(numbers)).tolist() == numbers
    assert values(wording, grammar(wording), ("five", "hundred", "and", "fifteen")) == [5, 500, 500, 515]


def test_no_op_parameters_leave_the_state_unchanged() -> None:
    model = MultiplyAdd(3, 2, 0.5)
    model.load_state_dict(no_op_parameters(model))
    assert model(torch.eye(3).unsqueeze(0)).item() == 0


class Line(nn.Module):
    """a x + b."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(()))
        self.b = nn.Parameter(torch.randn(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a * x + self.b


def levenberg_marquardt(seeds: int) -> tuple[Ensemble, LevenbergMarquardt]:
    model = Ensemble(Line, range(seeds)).double()
    zero = {"a": torch.zeros(()), "b": torch.zeros(())}
    return model, LevenbergMarquardt(model, lambda prediction, target: prediction - target, zero)


def test_second_order_steps_solve_linear_least_squares() -> None:
    """Every member fits its own noisy data. A NaN in the data of one member does not change the others."""
    torch.manual_seed(0)
    x, noise = torch.randn(4, 9).double(), torch.randn(4, 9).double()
    y = 3 * x + 1 + noise
    model, optimizer = levenberg_marquardt(4)
    for _ in range(60):
        optimizer.step(x, y, torch.ones(4, 9).double(), 0.0)
    for k in range(4):
        a, b = np.polyfit(x[k], y[k], 1)
        assert model.stacked()["a"][k].item() == pytest.approx(a, rel=1e-8)
        assert model.stacked()["b"][k].item() == pytest.approx(b, rel=1e-8)
    again, optimizer = levenberg_marquardt(4)
    y[2] = torch.nan
    for _ in range(60):
        optimizer.step(x, y, torch.ones(4, 9).double(), 0.0)
    others = [0, 1, 3]
    assert torch.equal(again.stacked()["a"][others], model.stacked()["a"][others])


def test_examples_of_weight_zero_do_not_count() -> None:
    x, y = torch.tensor([[1.0, 2.0, 5.0]]).double(), torch.tensor([[3.0, 5.0, 999.0]]).double()
    model, optimizer = levenberg_marquardt(1)
    for _ in range(40):
        optimizer.step(x, y, torch.tensor([[1.0, 1.0, 0.0]]).double(), 0.0)
    assert (model.stacked()["a"].item(), model.stacked()["b"].item()) == pytest.approx((2, 1))


def test_the_penalty_prefers_few_parameters_away_from_its_center() -> None:
    """At x = 1, every a + b = 5 is a solution. The penalty selects a solution where one of the two is 0."""
    x, y = torch.ones(6, 3).double(), torch.full((6, 3), 5.0).double()
    model, optimizer = levenberg_marquardt(6)
    for _ in range(300):
        optimizer.step(x, y, torch.ones(6, 3).double(), 1e-3)
    smaller = torch.minimum(model.stacked()["a"].abs(), model.stacked()["b"].abs())
    assert (smaller < 0.01).all()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three multiply-add seeds."""
    directory = tmp_path_factory.mktemp("numbers") / "run"
    config = Config(model="multiply-add", seeds=3, first_seed=2, steps=120, eval_every=60, device="cpu")
    run(TASK, config, directory)
    return directory


def test_seeds_that_have_seen_full_hundreds_read_every_number(trained: Path) -> None:
    record = Record.load(trained / "metrics.csv")
    config = Config(model="multiply-add", seeds=3, first_seed=2)
    informed = [any(number % 100 == 0 for number in config.split(seed).train if number) for seed in config.seed_range]
    assert sum(informed) >= 1
    exact = record["exact/extrapolation"][-1] == 1
    assert (exact == informed).all()


def test_read_number(trained: Path, tmp_path: Path) -> None:
    def read_number(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tasks.number_translation.read_number", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    done = read_number("Seven hundred and forty-two", "--run", str(trained))
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["seven", "hundred", "and", "forty", "two", "742"]
    assert [float(line[1]) for line in (lines[0], lines[3], lines[4])] == pytest.approx([7, 740, 742], abs=0.01)
    for arguments, message in (
        (["seven hundert"], "'hundert' is not in the vocabulary of this run; try one of: hundred"),
        ([""], "the number in words is empty"),
        (["one", "--run", str(tmp_path)], "no readable config.json"),
    ):
        wrong = read_number(*arguments, *([] if "--run" in arguments else ["--run", str(trained)]))
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert wrong.stderr.count("\n") == 1
        assert message in wrong.stderr


def test_the_chosen_network_has_the_lowest_validation_error() -> None:
    config = Config(model="lstm", seeds=2, steps=30, eval_every=10, embedding=4, hidden=3)
    chosen, lowest = None, np.inf
    for snapshot in train(config):
        errors = snapshot.metrics["interpolation/error"]
        if errors.min() < lowest:
            lowest = errors.min().item()
            chosen = snapshot.model.member(int(errors.argmin())).state_dict()
    network = chosen_network(build(config.model, config.sizes), snapshot.state["best"])
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, chosen[name])


def test_a_run_saves_the_predictions_of_the_chosen_network(tmp_path: Path) -> None:
    config = Config(model="lstm", seeds=2, steps=20, eval_every=10, embedding=4, hidden=3)
    finished = run(TASK, config, tmp_path / "run")
    saved = read_columns(tmp_path / "run" / PREDICTIONS)
    best = finished.per_seed["interpolation/error"].argmin()
    error = np.abs(saved["predicted"] - saved["number"]).mean()
    assert error == pytest.approx(finished.per_seed["extrapolation/error"][best], rel=1e-4)
    evidence.copy_evidence(finished, tmp_path / "kept")
    (kept,) = (tmp_path / "kept" / TASK.name).iterdir()
    assert (kept / PREDICTIONS).read_text() == (tmp_path / "run" / PREDICTIONS).read_text()
    assert "predicted-against-true" in TASK.figures([read_run(kept)])


def test_read_number_uses_the_best_of_all_seed_chunks(tmp_path: Path) -> None:
    config = Config(model="lstm", seeds=3, steps=20, eval_every=10, embedding=4, hidden=3)
    printed = []
    for chunk in (None, 1):
        finished = run(TASK, config, tmp_path / str(chunk), seed_chunk=chunk)
        command = [
            sys.executable,
            "-m",
            "tasks.number_translation.read_number",
            "twenty one",
            "--run",
            str(tmp_path / str(chunk)),
        ]
        printed.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert finished.per_seed["interpolation/error"].argmin() > 0
    assert printed[0] == printed[1]


def test_unknown_words() -> None:
    assert split_words("Twenty-one", ENGLISH) == ("twenty", "one")
    with pytest.raises(UserError, match="'thousand' is not in the vocabulary of this run; try one of:"):
        split_words("one thousand", ENGLISH)


def test_pictures_can_be_drawn() -> None:
    config = Config(model="multiply-add", seeds=2)
    data = Data(ENGLISH, [config.split(seed) for seed in (0, 1)], torch.device("cpu"), torch.float64)
    model = Ensemble(lambda: build("multiply-add", config.sizes), range(2)).double()
    drawn = {name: draw() for name, draw in pictures(ENGLISH, data, model).items()}
    assert {name.split("/")[0] for name in drawn} == {"numbers"}
    assert any("999:" in text.get_text() for text in drawn["numbers/word_by_word"].texts)


def test_data_keeps_numbers_and_words_together() -> None:
    parts = [Split((1, 20), (3,), (515, 7)), Split((4, 99), (5,), (21, 8))]
    data = Data(ENGLISH, parts, torch.device("cpu"), torch.float64)
    for k, part in enumerate(parts):
        for (x, y), numbers in ((data.train, part.train), (data.validation, part.validation), (data.test, part.test)):
            assert y[k].tolist() == list(numbers)
            assert torch.equal(x[k, :, -1], ENGLISH.encode_numbers(numbers)[:, -1].double())


def test_score_of_a_record_made_by_hand(tmp_path: Path) -> None:
    parts = ("train", "interpolation", "extrapolation")
    header = ",".join(["step", "seed", *(name for part in parts for name in (f"{part}/error", f"exact/{part}"))])
    rows = [
        "0,0,9,0,9,0,9,0", "0,1,9,0,9,0,9,0", "0,2,9,0,9,0,9,0",
        "5,0,0,1,0.1,1,0.2,1", "5,1,0,1,3,.5,0.1,1", "5,2,nan,0,nan,0,nan,0",
        "9,0,0,1,0.3,1,0.1,.5", "9,1,0,1,2,.5,4,.25", "9,2,nan,0,nan,0,nan,0",
    ]  # fmt: skip
    (tmp_path / "metrics.csv").write_text("\n".join([header, *rows]) + "\n")
    result = score(Config(seeds=3), Record.load(tmp_path / "metrics.csv"))
    np.testing.assert_equal(result.values["extrapolation/error"], [0.2, 4, np.inf])
    np.testing.assert_equal(result.values["exact/extrapolation"], [1, 0.25, 0])
    assert result.outcomes["solved"].tolist() == [True, False, False]
    assert result.outcomes["below_published"].tolist() == [True, False, False]
    assert result.outcomes["diverged"].tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_size": 20}, "--train-size must lie in .*, got 20"),
        ({"train_size": 900}, "--train-size must lie in .*, got 900"),
        ({"limit": 50}, "--limit must lie in 100..1000000000, got 50"),
        ({"model": "transformer", "hidden": 3}, "--hidden must be even for a transformer, got 3"),
        ({"split_seed": -1}, "--split-seed must lie in 0..4294967295, got -1"),
        ({"batch_size": -1}, "--batch-size must lie in 1..2147483647, got -1"),
    ],
)
def test_values_that_cannot_be_used(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Config(**options)


def test_given_options_override_the_recipe() -> None:
    assert replace(Config(), model="multiply-add").to_dict()["loss"] == "relative"
    assert Config(model="multiply-add", loss="squared").to_dict()["loss"] == "squared"


@pytest.mark.parametrize("model", ["multiply-add", "nalu-cell"])
def test_training_goes_on_from_a_checkpoint_exactly(model: Kind) -> None:
    config = Config(model=model, seeds=2, steps=12, eval_every=6, curriculum=4)
    *_, expected = (snapshot.metrics for snapshot in train(config))
    state = next(snapshot.state for snapshot in train(config) if snapshot.step == 6)
    *_, resumed = (snapshot.metrics for snapshot in train(config, state))
    for name, value in expected.items():
        assert torch.equal(resumed[name], value), name
