"""The results of static arithmetic: scores, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arithmetic.problem import OPERATIONS
from tasks.arithmetic.scoring import score as score
from tasks.harness.finished_run import FinishedRun
from tasks.harness.statistics import rate
from tasks.harness.tables import Table, format_options, number, percent, steps
from tasks.harness.verdict import RATE_RULE, Verdict, of_rate
from tasks.static_arithmetic import conditioning
from tasks.static_arithmetic.published import MADSEN_JOHANSEN, SEEDS, STEPS, changed, published_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """Seeds solved beside the published count; with and without preconditioning."""
    units, studies = _kinds(runs)
    result = [_units(units)] if units else []
    if studies:
        result.append(conditioning.table(studies))
    return result


def _kinds(runs: Sequence[FinishedRun]) -> tuple[list[FinishedRun], conditioning.Studies]:
    """Runs of the main table, and runs that differ in nothing but their preconditioning."""
    ordered = _ordered(runs)
    studies = conditioning.comparisons(ordered)
    studied = [run for arms in studies.values() for run in arms.values()]
    return [run for run in ordered if run not in studied], studies


def _units(runs: Sequence[FinishedRun]) -> Table:
    """One row per operation and cell: seeds solved, beside the published count."""
    rows = []
    compared = sum(published_count(run.options) is not None for run in runs)
    for run in runs:
        rates, metrics = run.rates, run.metrics
        old = rates.get("solved/published_threshold")
        rows.append(
            [
                f"{run.options['op']} {run.options['cell']}",
                percent(rates["solved"]),
                percent(old) if old else "–",
                _published(run),
                _verdict(run, compared),
                percent(rates["solved/ever"]),
                steps(metrics["solved_at_step"]["median"]),
                number(metrics["extrapolation/error"]["median"]),
                number(metrics["extrapolation/percent_of_random"]["median"]),
                f"{run.seeds} x {run.steps}",
                format_options(changed(run.options)),
            ]
        )
    header = (
        "operation, cell", "solved", "old threshold", "published", "verdict", "ever solved", "at step", "error",
        "% of random", "seeds x steps", "other options",
    )  # fmt: skip
    notes = (
        "solved: extrapolation error below that of a network whose weights are off by 1e-5, at the step of lowest "
        "validation error; ever: at any evaluated step. Intervals: Wilson 95 %.",
        "published: Madsen & Johansen 2020, 100 seeds x 5 000 000 steps at learning rate 0.001, against the old "
        "threshold, which was simulated for subsets one input too large; the verdict compares with the same threshold.",
        RATE_RULE,
        "at step, error (extrapolation, mean squared), % of random (error in percent of the untrained network's): "
        "medians over seeds.",
    )
    return Table("Static arithmetic: success at extrapolation", header, rows, notes)


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """Success rates of single units beside the published ones, with intervals; the study of preconditioning."""
    units, studies = _kinds(runs)
    result = {"success": _success_figure(units)} if units else {}
    return {**result, "conditioning": conditioning.figure(studies)} if studies else result


def _success_figure(runs: Sequence[FinishedRun]) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(11, 6), layout="constrained")
    grid = figure.subplots(2, 3, sharey=True)
    for axes, op in zip(grid.flat, OPERATIONS, strict=True):
        _success(axes, [run for run in runs if run.options["op"] == op])
        axes.set(title=op, ylim=(-0.05, 1.05))
        axes.grid(axis="y", alpha=0.3)
    for axes in grid[:, 0]:
        axes.set_ylabel("seeds solved")
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label) for label, colour, marker, _ in SERIES
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle("Static arithmetic: seeds that extrapolate, with 95 % intervals")
    return figure


SERIES = (("this suite", "#0072B2", "o", -0.12), ("Madsen & Johansen 2020", "#D55E00", "s", 0.12))
"""Label, colour, marker and horizontal offset; colours that colour-blind readers can distinguish."""


def _success(axes: Axes, runs: Sequence[FinishedRun]) -> None:
    """The success rates of one operation, by cell."""
    for position, run in enumerate(runs):
        count = published_count(run.options)
        rates = (run.rates["solved"], None if count is None else rate(np.arange(SEEDS) < count))
        for found, (_, colour, marker, offset) in zip(rates, SERIES, strict=True):
            if found is not None:
                interval = [[found["rate"] - found["low"]], [found["high"] - found["rate"]]]
                axes.errorbar(position + offset, found["rate"], yerr=interval, fmt=marker, color=colour, capsize=3)
    axes.set_xticks(range(len(runs)), [_tick(run.options) for run in runs])
    axes.set_xlim(-0.5, max(len(runs), 1) - 0.5)


def _tick(options: Mapping[str, Any]) -> str:
    """The cell, and how it is preconditioned."""
    arm = conditioning.arm_of(options)
    return options["cell"] + ("" if arm == conditioning.PLAIN else "\n" + conditioning.name(arm).replace(", ", "\n"))


def _ordered(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    cells = list(MADSEN_JOHANSEN)

    def key(run: FinishedRun) -> tuple[int, int]:
        config = run.options
        cell = config["cell"]
        return OPERATIONS.index(config["op"]), cells.index(cell) if cell in cells else len(cells)

    return sorted(runs, key=key)


def _published(run: FinishedRun) -> str:
    count = published_count(run.options)
    return "–" if count is None else f"{count} %"


def _verdict(run: FinishedRun, comparisons: int) -> str:
    """The verdict at the threshold that the published count used."""
    if run.options["cell"] not in MADSEN_JOHANSEN:
        return Verdict.NO_FIGURE
    count = published_count(run.options)
    ours = run.rates.get("solved/published_threshold")
    if count is None or ours is None:
        return Verdict.NOT_COMPARABLE
    return of_rate(ours, count, of=SEEDS, share_of_steps=run.steps / STEPS, comparisons=comparisons)
