"""The figure of the report: error against the length of the series, one line for each row of the tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.harness.finished_run import FinishedRun
from tasks.harness.legends import legend_entries
from tasks.mnist_counting.data import CLASSES, PROBLEMS, TARGETS, Target
from tasks.mnist_counting.model import CELLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OTHER_COLOUR = "0.4"
COLOURS = {
    "exact": "#000000", "nac": "#0072B2", "nalu": "#D55E00", "nau": "#009E73", "nmu": "#CC79A7",
    "lstm": "#E69F00", "gru": "#56B4E9", "rnn-tanh": "#999999", "rnn-relu": "#8C6D31",
}  # fmt: skip
"""By cell: the colour-blind safe palette of Okabe and Ito, and two more colours."""
SMALLEST = 1e-6
"""Smaller errors are drawn at this value, because the axis is logarithmic."""


def constant_error(length: int) -> float:
    """Mean absolute error of a class count when the answer is always 1, the mean count over ten digits."""
    p = 1 / CLASSES
    # computed as logarithms, because the factors of the binomial probability leave the range of a float
    log_n = math.lgamma(length + 1)
    log_p = [
        log_n - math.lgamma(k + 1) - math.lgamma(length - k + 1) + k * math.log(p) + (length - k) * math.log(1 - p)
        for k in range(length + 1)
    ]
    return sum(math.exp(x) * abs(k - 1) for k, x in enumerate(log_p))


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """Medians over seeds with a band from the 10th to the 90th percentile, one plot per target."""
    from matplotlib.figure import Figure

    by_target = {target: ordered(runs, target) for target in TARGETS}
    present = [target for target in TARGETS if by_target[target]]
    figure = Figure(figsize=(6 * max(len(present), 1), 5), layout="constrained")
    grid = figure.subplots(1, max(len(present), 1), squeeze=False)[0]
    for axes, target in zip(grid, present, strict=False):
        _lines(axes, target, by_target[target])
    figure.suptitle("MNIST: error on series longer than in training")
    return {"error-against-length": figure}


def ordered(runs: Sequence[FinishedRun], target: Target) -> list[FinishedRun]:
    """The runs of a target, ordered by cell; runs with priors come first."""

    def key(run: FinishedRun) -> tuple[int, str, bool]:
        options = run.options
        cell = options["cell"]
        return CELLS.index(cell) if cell in CELLS else len(CELLS), cell, options["recurrent_start"] == "unit"

    return sorted((run for run in runs if run.options["target"] == target), key=key)


def _lines(axes: Axes, target: Target, runs: Sequence[FinishedRun]) -> None:
    lengths = PROBLEMS[target].lengths
    for run in runs:
        options, metrics = run.options, run.metrics

        def values(name: str, metrics: dict[str, Any] = metrics) -> list[float]:
            errors = [metrics[f"error/length_{n}"][name] for n in lengths]
            return [math.nan if error is None else max(error, SMALLEST) for error in errors]

        with_priors = options["recurrent_start"] == "identity"
        style = "-" if with_priors else "--"
        colour = COLOURS.get(options["cell"], OTHER_COLOUR)
        label = f"{options['cell']}{', with priors' if with_priors else ''}, {options['dataset']}"
        axes.plot(lengths, values("median"), style, marker="o", markersize=3, color=colour, label=label)
        axes.fill_between(lengths, values("p10"), values("p90"), color=colour, alpha=0.15, linewidth=0)
    if target == "counting":
        axes.plot(lengths, [constant_error(n) for n in lengths], ":", color="0.4", label="always 1")
    trained = PROBLEMS[target].length
    axes.axvline(trained, color="0.85", zorder=0)
    axes.set(
        title=f"{target} (trained on {trained} digits)", xscale="log", yscale="log",
        xlabel="digits in the series", ylabel="mean absolute error (median over seeds)",
    )  # fmt: skip
    axes.set_ylim(top=min(axes.get_ylim()[1], 1e6) if target != "product" else None)
    axes.grid(alpha=0.3)
    axes.legend(*legend_entries(axes), fontsize="x-small")
