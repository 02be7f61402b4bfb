"""The figure: reward, exact arrivals and arrival time against T, with bands over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.gridworld_time.names import OBSERVATIONS, name, ordered
from tasks.gridworld_time.options import TRAINED, Config
from tasks.gridworld_time.published import FAR_T
from tasks.gridworld_time.world.dynamics import Rules
from tasks.gridworld_time.world.reference_policies import arriving_at, best_blind, optimum, random_walk
from tasks.harness.finished_run import FinishedRun
from tasks.harness.legends import legend_entries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {"reward": "reward, parts of the optimum", "exact": "exact arrivals", "time": "mean arrival time"}


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """One figure of the greedy policy after training: all agents, with one column for each kind of observation."""
    from matplotlib.figure import Figure

    by_observation = [
        (kind, [run for run in ordered(runs) if run.options["observation"] == kind]) for kind in OBSERVATIONS
    ]
    columns = [(kind, of_kind) for kind, of_kind in by_observation if of_kind]
    figure = Figure(figsize=(2 + 6 * len(columns), 13.5), layout="constrained")
    grid = figure.subplots(len(KINDS), len(columns), squeeze=False, sharex="col")
    for (observation, of_kind), column in zip(columns, grid.T, strict=True):
        for axes, kind in zip(column, KINDS, strict=True):
            _panel(axes, kind, of_kind)
        column[0].set_title(observation)
        column[-1].set_xlabel("T")
        column[-1].legend(
            *legend_entries(column[0]), fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2
        )
    for axes, label in zip(grid[:, 0], KINDS.values(), strict=True):
        axes.set_ylabel(label)
    figure.suptitle("Grid world, greedy policy; shaded: T in training\nmedians over seeds, 10th to 90th percentile")
    return {"reward-and-arrival-against-T": figure}


def _panel(axes: Axes, kind: str, runs: Sequence[FinishedRun]) -> None:
    from matplotlib import colormaps

    axes.axvspan(TRAINED[0], TRAINED[-1], color="0.9")
    longest = 13
    names = list(dict.fromkeys(name(run.options) for run in runs))
    for run in runs:
        config = Config.from_dict(run.options)
        metrics = {T: found for T in config.times if (found := run.metrics.get(f"{kind}/greedy/T_{T}"))}
        times = np.array(list(metrics))
        low, median, high = (
            np.array([value[end] for value in metrics.values()], dtype=float) for end in ("p10", "median", "p90")
        )
        colour = colormaps["turbo"]((names.index(name(run.options)) + 0.5) / len(names))
        style = "-" if config.instruction_path == "accumulator" else "--"
        axes.plot(times, median, style, color=colour, label=name(run.options), linewidth=1.5)
        axes.fill_between(times, low, high, color=colour, alpha=0.15, linewidth=0)
        longest = max(longest, times[-1])
    times = np.unique(np.geomspace(1, longest, 100).round()).astype(int)
    if kind == "reward":
        _references(axes, times.tolist())
    if kind == "time":
        axes.plot(times, times, ":", color="0.4", linewidth=1)
        axes.set(yscale="log")
    axes.set(xscale="log", xlim=(1, longest))
    ticks = [tick for tick in (1, 2, 5, 8, 12, 20, 40, 100, 300, 1000) if tick <= longest]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def _references(axes: Axes, times: Sequence[int]) -> None:
    """Draw the rewards of simple policies in grey, and mark the last T at which the paper's NAC agent is good."""
    rules = Rules()
    best = optimum(times, rules)
    blind = best_blind(TRAINED, rules)
    curves = {
        "always at 12 (the paper: baseline)": (arriving_at(TRAINED[-1]), "--"),
        f"best without T (always at {blind})": (arriving_at(blind), "-."),
        "straight to the target": (arriving_at(1), ":"),
        "random": (random_walk, (0, (1, 4))),
    }
    for label, (curve, style) in curves.items():
        axes.plot(times, curve(times, rules) / best, linestyle=style, color="0.5", linewidth=1, label=label)
    if times[-1] >= FAR_T:
        axes.axvline(FAR_T, color="0.5", linewidth=0.8)
        axes.text(FAR_T, 0.02, f" {FAR_T}: end of the paper's NAC agent", fontsize="x-small", color="0.4")
