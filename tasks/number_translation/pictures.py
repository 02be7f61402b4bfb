"""TensorBoard pictures of the first network: its predictions, its errors, and its output word by word."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch

from nalu import Ensemble
from tasks.number_translation.data import Data, Wording

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = (3, 15, 40, 99, 318, 567, 999)
"""Numbers that are shown word by word."""


def pictures(wording: Wording, data: Data, model: Ensemble) -> dict[str, Callable[[], Figure]]:
    """Functions that draw the pictures of the first network, by tag."""
    return {
        "numbers/predicted_against_true": partial(predicted_against_true, data, model),
        "numbers/error_by_words": partial(error_by_words, data, model),
        "numbers/word_by_word": partial(word_by_word, wording, model),
    }


@torch.no_grad()
def predicted_against_true(data: Data, model: Ensemble) -> Figure:
    """Predictions of the first seed for all its test and training numbers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    single = model.member(0)
    for name, (x, y), colour in (("test", data.test, "#0072B2"), ("training", data.train, "#D55E00")):
        axes.plot(y[0].cpu(), single(x[0]).cpu(), ".", markersize=3, color=colour, label=name)
    highest = data.test[1][0].max().item()
    axes.plot([0, highest], [0, highest], color="0.5", linewidth=0.8)
    axes.set(xlabel="number", ylabel="prediction", title="first seed")
    axes.legend()
    return figure


@torch.no_grad()
def error_by_words(data: Data, model: Ensemble) -> Figure:
    """Test errors of the first seed by number of words, and by whether training contains the last two words."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    single = model.member(0)
    x, y = data.test[0][0], data.test[1][0]
    errors = (single(x) - y).abs().cpu().clamp(min=1e-6)
    words = x.sum(dim=(1, 2)).long().cpu()
    trained = {_ending(example) for example in data.train[0][0]}
    familiar = torch.tensor([_ending(example) in trained for example in x])
    for offset, (name, part, colour) in zip(
        (-0.15, 0.15), (("seen in training", familiar, "#0072B2"), ("new", ~familiar, "#D55E00")), strict=True
    ):
        axes.plot(words[part] + offset, errors[part], ".", markersize=3, color=colour, label=f"last two words {name}")
    axes.set(yscale="log", xlabel="words", ylabel="absolute error", title="test numbers, first seed")
    axes.legend(fontsize="small")
    return figure


@torch.no_grad()
def word_by_word(wording: Wording, model: Ensemble) -> Figure:
    """The output of the first network after each word of a few numbers."""
    from matplotlib.figure import Figure

    single = model.member(0)
    numbers = [number for number in SHOWN if number < wording.limit]
    figure = Figure(figsize=(9, 0.4 * len(numbers) + 0.4), layout="constrained")
    for row, number in enumerate(numbers):
        parts = [f"{word} → {value:.1f}" for word, value in zip(*values_by_word(wording, single, number), strict=True)]
        figure.text(0.02, 1 - (row + 0.7) / len(numbers), f"{number}:  " + "   ".join(parts), fontsize=9)
    return figure


def values_by_word(wording: Wording, single: torch.nn.Module, number: int) -> tuple[tuple[str, ...], list[float]]:
    """The words of a number, and the output of a network after each of them."""
    words = wording.words(number)
    return words, values(wording, single, words)


@torch.no_grad()
def values(wording: Wording, single: torch.nn.Module, words: tuple[str, ...]) -> list[float]:
    """The output of a network after each word."""
    beginnings = wording.encode([words[: n + 1] for n in range(len(words))])
    return single(beginnings.to(next(single.parameters()))).tolist()


def _ending(one_hot: torch.Tensor) -> tuple[int, ...]:
    """The indices of the last two words of an example; -1 for padding."""
    return tuple(int(word.argmax()) if word.any() else -1 for word in one_hot[-2:])
