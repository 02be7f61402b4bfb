"""TensorBoard pictures of one network: its prediction for a series, and its confusion matrix for single digits."""

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
    """Functions that draw the pictures of the first network, which has this ``seed``, by tag."""
    return {
        f"digits/strip/seed_{seed}": partial(digit_strip, data, model),
        f"digits/confusion/seed_{seed}": partial(confusion, data, model),
    }


@torch.no_grad()
def digit_strip(data: Data, model: Networks) -> Figure:
    """The first test series of the training length, with the target and the prediction of the first seed."""
    series = data.test[data.problem.length]
    images = data.test_images[series.indices[0]]
    prediction = model(images.expand(len(model.recurrent), 1, *images.shape))[0, 0, -1].cpu()
    target = series.answers[0].cpu()
    return draw_strip(images.cpu(), target, prediction)


def draw_strip(images: Tensor, target: Tensor, prediction: Tensor) -> Figure:
    """Images ``(T, 28, 28)`` in a row, above a table of the target and the prediction, each ``(outputs,)``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.6), layout="constrained")
    strip, answers = figure.subplots(2, 1, height_ratios=(1, 2))
    strip.imshow(torch.cat(list(images), dim=1).numpy(), cmap="gray_r")
    strip.set_axis_off()
    cells = [[f"{value:.2f}" for value in row] for row in (target.tolist(), prediction.tolist())]
    names = [f"{digit}s" for digit in range(CLASSES)] if len(target) == CLASSES else ["answer"]
    answers.table(cells, rowLabels=["target", "prediction"], colLabels=names, loc="center")
    answers.set_axis_off()
    return figure


@torch.no_grad()
def confusion(data: Data, model: Networks) -> Figure:
    """The confusion matrix of the first seed over all test digits, each seen as a series of length 1."""
    series = data.test[1]
    features = model.encode_shared(data.test_images)
    prediction = model.recurrent(features[:, series.indices])[0, :, -1]
    return draw_confusion(as_digit(series.answers).cpu(), as_digit(prediction).cpu())


def as_digit(answers: Tensor) -> Tensor:
    """The digit that an answer to a series of length 1 names, ``(N, outputs) -> (N,)``."""
    if answers.shape[-1] == CLASSES:
        return answers.argmax(dim=-1)
    return answers.squeeze(-1).nan_to_num(0).round().clamp(0, CLASSES - 1).long()


def confusion_matrix(target: Tensor, prediction: Tensor) -> Tensor:
    """Number of images by true digit (row) and predicted digit (column): ``(N,), (N,) -> (10, 10)``."""
    return torch.bincount(target * CLASSES + prediction, minlength=CLASSES**2).view(CLASSES, CLASSES)


def draw_confusion(target: Tensor, prediction: Tensor) -> Figure:
    """The matrix of :func:`confusion_matrix`, coloured by the fraction of each row."""
    from matplotlib.figure import Figure

    counts = confusion_matrix(target, prediction)
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    fractions = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    image = axes.imshow(fractions.numpy(), cmap="viridis", vmin=0, vmax=1)
    for row, column in counts.nonzero().tolist():
        colour = "black" if fractions[row, column] > 0.5 else "white"
        axes.text(column, row, str(int(counts[row, column])), ha="center", va="center", fontsize=7, color=colour)
    axes.set(xlabel="predicted digit", ylabel="true digit", xticks=range(CLASSES), yticks=range(CLASSES))
    figure.colorbar(image, ax=axes, label="fraction of the digit's images")
    return figure
