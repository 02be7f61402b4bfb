"""The figure of learning curves, one panel per run."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.harness.finished_run import FinishedRun
from tasks.harness.learning_curves import ERROR_COLOURS, SHOWN, STATISTICS
from tasks.harness.registry import load_task
from tasks.harness.tables import format_options

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 6


def draw_curves(runs: Sequence[FinishedRun], title: str) -> Figure:
    """One panel per run: both errors over training, medians over seeds with a band from 10th to 90th percentile."""
    from matplotlib.figure import Figure

    columns = min(len(runs), COLUMNS)
    rows = -(-len(runs) // columns)
    figure = Figure(figsize=(1 + 2.1 * max(columns, 3), 1.2 + 1.8 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, run, label in zip(grid.flat, runs, labels(runs), strict=False):
        _panel(axes, run.curves)
        axes.set_title(textwrap.fill(label, 30), fontsize="x-small")
    # Whole decades need no minor ticks, which take most of the time and memory of a figure with many panels.
    grid[0, 0].set_yscale("log")
    low, high = np.log10(grid[0, 0].get_ylim())
    grid[0, 0].set_ylim(10 ** np.floor(low), 10 ** np.ceil(high))
    for axes in grid.flat:
        axes.minorticks_off()
    for axes in grid.flat[len(runs) :]:
        axes.set_axis_off()
    figure.supxlabel("step")
    figure.supylabel("error")
    figure.suptitle(f"{title}: errors over training, median and 10th to 90th percentile over seeds", fontsize="medium")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower right", ncols=2, fontsize="small")
    return figure


def labels(runs: Sequence[FinishedRun]) -> list[str]:
    """A short name for every run, with the options that distinguish it from runs of the same name."""
    names = [load_task(run.task).config.from_dict(run.options).label() for run in runs]
    values: dict[tuple[str, str], set[str]] = {}  # of each option, over the runs of a name
    for name, run in zip(names, runs, strict=True):
        for option, value in run.options.items():
            values.setdefault((name, option), set()).add(repr(value))

    def others(name: str, run: FinishedRun) -> str:
        return format_options({option: value for option, value in run.options.items() if len(values[name, option]) > 1})

    return [f"{name} {others(name, run)}".strip() for name, run in zip(names, runs, strict=True)]


def _panel(axes: Axes, curves: Mapping[str, np.ndarray]) -> None:
    for error, colour in ERROR_COLOURS.items():
        low, median, high = (np.clip(curves[f"{error}/{name}"], *SHOWN) for name in STATISTICS)
        axes.plot(curves["step"], median, color=colour, linewidth=1.2, label=error)
        axes.fill_between(curves["step"], low, high, color=colour, alpha=0.2, linewidth=0)
    axes.tick_params(labelsize="x-small")
    axes.grid(alpha=0.3)
