"""What `nalu compare` shows: one table, one figure, one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.harness.compare.plan import TUNING_SEEDS, Contest, Entry
from tasks.harness.statistics import bounded_mean, describe, paired_difference
from tasks.harness.tables import Table, number, steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.05
"""About the probability that any of the intervals of a comparison misses the true difference."""


@dataclass(frozen=True)
class Difference:
    """The success of the user's unit minus that of another, with an interval."""

    contest: Contest
    own: Entry
    other: Entry
    mean: float
    low: float
    high: float


def differences(contests: Sequence[tuple[Contest, Sequence[Entry]]]) -> list[Difference]:
    """The differences to all rivals; their intervals hold together at about 95 % (Bonferroni)."""
    pairs = [(contest, entries[0], other) for contest, entries in contests for other in entries[1:]]
    return [
        Difference(contest, own, other, *paired_difference(own.success, other.success, LEVEL / len(pairs)))
        for contest, own, other in pairs
    ]


def table(contests: Sequence[tuple[Contest, Sequence[Entry]]], found: Sequence[Difference]) -> Table:
    """One row for each unit of each contest."""
    by_entry = {id(one.other): one for one in found}
    rows = []
    for contest, entries in contests:
        for entry in entries:
            run, difference = entry.run, by_entry.get(id(entry))
            solved_at = describe(contest.comparison.solved_at(run))["median"]
            rows.append(
                [
                    f"{contest.task.command} {contest.problem}: {entry.label}",
                    number(entry.learning_rate),
                    "{:.0f} % [{:.0f}, {:.0f}]".format(*_percent(bounded_mean(entry.success, (0.0, 1.0)))),
                    "–" if difference is None else _interval(difference),
                    number(run.metrics["extrapolation/error"]["median"]),
                    steps(solved_at),
                    f"{run.seeds} x {steps(run.steps)}",
                ]
            )
    own = contests[0][1][0].label
    header = (
        "task, problem: unit",
        "learning rate",
        "success",
        f"{own} minus unit",
        "error",
        "solved at step",
        "seeds x steps",
    )
    rates = {contest.task.command: contest.comparison.learning_rates for contest, _ in contests}
    notes = (
        "success: the mean over seeds (of the single-module benchmark: over seeds and ranges), at the step of lowest "
        "validation error, with its own 95 % interval. error: extrapolation, median over seeds (of the single-module "
        "benchmark: each seed's worst range). solved at step: median over what is solved.",
        f"{own} minus unit: difference of the success over the same seeds, in percentage points. Each of the "
        f"{len(found)} intervals is at {100 * (1 - LEVEL / len(found)):.2f} % (Student's t, adjusted as in Bonett & "
        "Price 2012, Bonferroni), so that all hold together at about 95 %.",
        f"The learning rate has the lowest median validation error on {TUNING_SEEDS} other seeds, of "
        + "; ".join(f"{', '.join(map(number, grid))} ({task})" for task, grid in rates.items())
        + ". Steps, batches and schedule are the same for all units; each has its published regulariser.",
    )
    return Table(f"{own} beside published units", header, rows, notes)


def conclusion(found: Sequence[Difference]) -> str:
    """One sentence on what the intervals show, and of how many comparisons."""
    own = found[0].own.label
    better = [_name(one) for one in found if one.low > 0]
    worse = [_name(one) for one in found if one.high < 0]
    rest = len(found) - len(better) - len(worse)
    parts = [f"solves more than {', '.join(better)}"] if better else []
    parts += [f"solves less than {', '.join(worse)}"] if worse else []
    parts += [f"cannot be told apart in {rest}"] if rest else []
    count = f"{len(found)} comparison" + ("s" if len(found) > 1 else "")
    return f"In {count}, {own} {'; '.join(parts)}."


def _name(difference: Difference) -> str:
    return f"{difference.other.label} ({difference.contest.task.command} {difference.contest.problem})"


def _percent(interval: Sequence[float]) -> tuple[float, ...]:
    return tuple(100 * value for value in interval)


def _interval(difference: Difference) -> str:
    return "{:+.0f} [{:+.0f}, {:+.0f}]".format(*_percent((difference.mean, difference.low, difference.high)))


def figure(found: Sequence[Difference]) -> Figure:
    """The differences with their intervals, one line for each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.5 + 0.35 * len(found)), layout="constrained")
    axes = figure.subplots()
    position = np.arange(len(found))[::-1]
    mean = np.array([100 * one.mean for one in found])
    spread = [mean - [100 * one.low for one in found], [100 * one.high for one in found] - mean]
    axes.axvline(0, color="0.5", linewidth=1)
    axes.errorbar(mean, position, xerr=np.maximum(spread, 0), fmt="o", color="#0072B2", capsize=3)
    axes.set_yticks(position, [_name(one) for one in found])
    axes.set(
        xlim=(-105, 105),
        xlabel=f"success of {found[0].own.label} minus that of the unit, percentage points",
        title=f"{found[0].own.label} beside published units\nThe intervals hold together at about 95 %",
    )
    axes.grid(axis="x", alpha=0.3)
    return figure
