"""The figure: reward, exact arrivals and arrival time against T, with bands over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.gridworld_time.dynamics import Rules
from tasks.gridworld_time.reference import arriving_at, best_blind, optimum, random_walk
from tasks.gridworld_time.train import TRAINED, Config
from tasks.harness.finished_run import FinishedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {"reward": "reward, parts of the optimum", "exact": "exact arrivals", "time": "mean arrival time"}
OBSERVATIONS = ("symbolic", "pixels")


def name(options: Mapping[str, Any]) -> str:
    """An agent in words."""
    words = ["pixels"] if options["observation"] == "pixels" else []
    if options["instruction_path"] == "accumulator":
        words.append(f"accumulator, {options['unit']}" + (f" x {options['units']}" if options["units"] > 1 else ""))
        if options["counts"] != "time":
            words.append(f"counts {options['counts']}")
        if options["memory"] == "lstm":
            words.append("LSTM")
    else:
        words.append({"lstm": "T to the LSTM", "nac": "T also through a NAC"}[options["instruction_path"]])
        if options["instruction_at"] == "start":
            words.append("told once")
    if options["hidden_size"] != Config.hidden_size:
        words.append(f"hidden size {options['hidden_size']}")
    return ", ".join(words)


def ordered(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Finished runs: symbolic before pixels, baseline first."""

    def key(run: FinishedRun) -> tuple[int, int, str]:
        options = run.options
        rank = ("lstm", "nac", "accumulator").index(options["instruction_path"])
        return OBSERVATIONS.index(options["observation"]), rank, name(options)

    return sorted(runs, key=key)


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """Greedy policy after training, all agents in one figure; with pixels where there are such runs."""
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
        lines = column[0].get_legend_handles_labels()
        column[-1].legend(*lines, fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    for axes, label in zip(grid[:, 0], KINDS.values(), strict=True):
        axes.set_ylabel(label)
    figure.suptitle("Grid world, greedy policy; shaded: T in training\nmedians over seeds, 10th to 90th percentile")
    return {"reward-and-arrival-against-T": figure}


def _panel(axes: Axes, kind: str, runs: Sequence[FinishedRun]) -> None:
    from matplotlib import colormaps

    axes.axvspan(TRAINED[0], TRAINED[-1], color="0.9")
    longest = 13
    for rank, run in enumerate(runs):
        config = Config.from_dict(run.options)
        metrics = {T: found for T in config.times if (found := run.metrics.get(f"{kind}/greedy/T_{T}"))}
        times = np.array(list(metrics))
        low, median, high = (
            np.array([value[end] for value in metrics.values()], dtype=float) for end in ("p10", "median", "p90")
        )
        colour = colormaps["turbo"]((rank + 0.5) / len(runs))
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
    """What simple policies earn, in grey; the paper's figure in words."""
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
    axes.axvline(19, color="0.5", linewidth=0.8)
    axes.text(19, 0.02, " 19: end of the paper's NAC agent", fontsize="x-small", color="0.4")
