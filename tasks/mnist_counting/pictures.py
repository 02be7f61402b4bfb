"""Pictures of what one network has learned: what it reads, digit by digit, and what it takes single digits for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tasks.mnist_counting.data import CLASSES, Data
from tasks.mnist_counting.model import Networks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pictures(data: Data, model: Networks, seed: int) -> dict[str, Callable[[], Figure]]:
    """What draws the pictures of the first network, that of ``seed``, by tag."""
    return {
        f"digits/strip/seed_{seed}": partial(digit_strip, data, model),
        f"digits/confusion/seed_{seed}": partial(confusion, data, model),
    }


@torch.no_grad()
def digit_strip(data: Data, model: Networks) -> Figure:
    """The first test series of the training length, with the right and the first seed's answer after it."""
    series = data.test[data.problem.length]
    images = data.test_images[series.indices[0]]
    found = model(images.expand(len(model.recurrent), 1, *images.shape))[0, 0, -1].cpu()
    right = series.answers[0].cpu()
    return draw_strip(images.cpu(), right, found)


def draw_strip(images: Tensor, right: Tensor, found: Tensor) -> Figure:
    """Images ``(T, 28, 28)`` in a row; what is right and what was found, each ``(outputs,)``, beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.6), layout="constrained")
    strip, answers = figure.subplots(2, 1, height_ratios=(1, 2))
    strip.imshow(torch.cat(list(images), dim=1).numpy(), cmap="gray_r")
    strip.set_axis_off()
    cells = [[f"{value:.2f}" for value in row] for row in (right.tolist(), found.tolist())]
    names = [f"{digit}s" for digit in range(CLASSES)] if len(right) == CLASSES else ["answer"]
    answers.table(cells, rowLabels=["right", "found"], colLabels=names, loc="center")
    answers.set_axis_off()
    return figure


@torch.no_grad()
def confusion(data: Data, model: Networks) -> Figure:
    """What the first seed takes every single test digit for."""
    series = data.test[1]
    features = model.encode_shared(data.test_images)
    found = model.recurrent(features[:, series.indices])[0, :, -1]
    return draw_confusion(as_digit(series.answers).cpu(), as_digit(found).cpu())


def as_digit(answers: Tensor) -> Tensor:
    """The digit that an answer to a series of length 1 stands for, ``(N, outputs) -> (N,)``."""
    if answers.shape[-1] == CLASSES:
        return answers.argmax(dim=-1)
    return answers.squeeze(-1).nan_to_num(0).round().clamp(0, CLASSES - 1).long()


def confusion_matrix(right: Tensor, found: Tensor) -> Tensor:
    """How many of each digit (row) were taken for which (column), ``(10, 10)``."""
    return torch.bincount(right * CLASSES + found, minlength=CLASSES**2).view(CLASSES, CLASSES)


def draw_confusion(right: Tensor, found: Tensor) -> Figure:
    """The matrix of :func:`confusion_matrix`, in parts of each row."""
    from matplotlib.figure import Figure

    counts = confusion_matrix(right, found)
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    parts = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    image = axes.imshow(parts.numpy(), cmap="viridis", vmin=0, vmax=1)
    for row, column in counts.nonzero().tolist():
        colour = "black" if parts[row, column] > 0.5 else "white"
        axes.text(column, row, str(int(counts[row, column])), ha="center", va="center", fontsize=7, color=colour)
    axes.set(xlabel="taken for", ylabel="digit", xticks=range(CLASSES), yticks=range(CLASSES))
    figure.colorbar(image, ax=axes, label="part of the digit's images")
    return figure
