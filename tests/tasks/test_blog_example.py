"""The blog's example: its examples, the article's loss, and the score of a record made by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nalu import NALU
from tasks.blog_example.data import examples
from tasks.blog_example.model import build
from tasks.blog_example.options import Config
from tasks.blog_example.published import ARTICLE_TEST_LOSS
from tasks.blog_example.results import score
from tasks.blog_example.sweep import RECIPE
from tasks.blog_example.train import train
from tasks.harness.record import Record


def test_examples_are_sums_and_reproducible() -> None:
    x, y = examples(2, 500, 100.0)
    assert x.shape == (500, 10)
    assert 0 <= x.min() < 1 < 99 < x.max() < 100
    np.testing.assert_allclose(y[:, 0], x.double().sum(dim=1), rtol=1e-7)
    assert torch.equal(examples(2, 500, 100.0)[0], x)
    assert not torch.equal(examples(1, 500, 100.0)[0], x)


def test_exact_weights_beat_the_articles_loss() -> None:
    """In float32: half the sum of squared errors over 10 000 examples leaves room for rounding only."""
    model = build("nalu", "truncated_normal", 10.0, True)
    assert [(layer.in_features, layer.out_features) for layer in model if isinstance(layer, NALU)] == [(10, 2), (2, 1)]
    with torch.no_grad():
        for layer, W in (
            (model.hidden, torch.tensor([[1.0] * 4 + [0.0] * 6, [0.0] * 4 + [1.0] * 6])),
            (model.output, 1),
        ):
            layer.W_hat.fill_(0).add_(20 * W)
            layer.M_hat.fill_(20)
            layer.G.fill_(1)
    x, y = examples(2, 10_000, 100.0)
    assert 0.5 * (model(x) - y).square().sum().item() < ARTICLE_TEST_LOSS


def test_the_loss_is_the_articles() -> None:
    config = Config(seeds=2, examples=50, steps=1, eval_every=1)
    first = next(iter(train(config)))
    x, y = examples(2, 50, 100.0)
    for k in range(2):
        expected = 0.5 * (first.model.member(k)(x) - y).square().sum()
        torch.testing.assert_close(first.metrics["extrapolation/error"][k], expected)
    assert config.target_loss == pytest.approx(ARTICLE_TEST_LOSS / 200)


def test_learning_rates() -> None:
    assert Config().learning_rate_at(49_999) == 0.1
    assert RECIPE.learning_rate_at(0) == 0
    assert RECIPE.learning_rate_at(RECIPE.steps // 2) == pytest.approx(0.05)


def test_score_of_a_record_made_by_hand(tmp_path: Path) -> None:
    """Seeds: spikes after it was solved; solved with snapped weights only; stuck; diverged."""
    header = (
        "step,seed,interpolation/error,extrapolation/error,interpolation/snapped_error,extrapolation/snapped_error,"
        "weights/sparsity,gate/mean"
    )
    rows = [
        *(f"0,{seed},9e5,9e5,9e5,9e5,.1,.5" for seed in range(4)),
        "5,0,1e-6,1e-5,3,4,.2,1", "5,1,1,8,0,0,.2,1", "5,2,7e5,8e5,9e5,9e5,.2,0", "5,3,nan,nan,nan,nan,nan,nan",
        "9,0,2,3,3,4,.2,1", "9,1,2,9,1,1,.2,1", "9,2,8e5,8e5,9e5,9e5,.2,0", "9,3,nan,nan,nan,nan,nan,nan",
    ]  # fmt: skip
    (tmp_path / "metrics.csv").write_text("\n".join([header, *rows]) + "\n")
    result = score(Config(seeds=4), Record.load(tmp_path / "metrics.csv"))
    assert result.outcomes["solved"].tolist() == [True, False, False, False]
    assert result.outcomes["solved/at_end"].tolist() == [False, False, False, False]
    assert result.outcomes["solved/ever"].tolist() == [True, False, False, False]
    assert result.outcomes["solved/snapped_or_not"].tolist() == [True, True, False, False]
    assert result.outcomes["stuck"].tolist() == [False, False, True, False]
    assert result.outcomes["diverged"].tolist() == [False, False, False, True]
    np.testing.assert_equal(result.values["solved_at_step"], [5, np.nan, np.nan, np.nan])
    np.testing.assert_equal(result.values["extrapolation/error"], [1e-5, 8, 8e5, np.inf])
