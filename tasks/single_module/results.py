"""The results of the single-module benchmark: scores, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from nalu.units.catalogue import UNITS, BinaryOperation
from tasks.harness.contract import Score
from tasks.harness.finished_run import FinishedRun
from tasks.harness.legends import legend_entries
from tasks.harness.record import Record
from tasks.harness.tables import Table, changed_options, format_options, percent
from tasks.single_module.options import Config
from tasks.single_module.published import EPSILON, STRICT_EPSILON
from tasks.single_module.ranges import RANGES, RangeName

if TYPE_CHECKING:
    from matplotlib.figure import Figure


OPERATIONS: tuple[BinaryOperation, ...] = get_args(BinaryOperation)


def score(config: Config, record: Record) -> Score:
    """Success, errors and sparsity of every seed by range, and of every seed over all its ranges.

    Each range is scored at the evaluated step where its own validation error was lowest.
    """
    by_range = {name: _score_range(config, name, _of_range(record, name)) for name in config.ranges}

    def over_ranges(outcome: str) -> np.ndarray:
        return np.stack([score.outcomes[outcome] for score in by_range.values()])

    def worst(value: str) -> np.ndarray:
        return np.max([score.values[value] for score in by_range.values()], axis=0)

    values = {name: worst(name) for name in ("interpolation/error", "extrapolation/error")}
    outcomes: dict[str, np.ndarray] = {
        "solved": np.all(over_ranges("solved"), axis=0),
        "diverged": np.any(over_ranges("diverged"), axis=0),
    }
    for name, result in by_range.items():
        values |= {f"{value}/{name}": result.values[value] for value in BY_RANGE}
        outcomes |= {f"{outcome}/{name}": result.outcomes[outcome] for outcome in OUTCOMES}
    return Score(values, outcomes)


BY_RANGE = ("extrapolation/error", "solved_at_step", "weights/sparsity")
OUTCOMES = ("solved", "solved_strictly", "solved_ever")


def _of_range(record: Record, name: RangeName) -> Record:
    """The record of one range, as if it had been run alone."""
    ending = f"/{name}"
    metrics = {metric.removesuffix(ending): x for metric, x in record.metrics.items() if metric.endswith(ending)}
    return Record(record.steps, record.seeds, metrics)


def _score_range(config: Config, name: RangeName, record: Record) -> Score:
    extrapolation = record.errors("extrapolation/error")
    chosen = record.chosen()
    first = 1 if len(record.steps) > 1 else 0

    below = extrapolation < config.threshold(name, EPSILON)
    solved = below[chosen]
    solved_at = record.steps[first + below[first:].argmax(axis=0)]
    values = {
        "interpolation/error": record.errors("interpolation/error")[chosen],
        "extrapolation/error": extrapolation[chosen],
        "solved_at_step": np.where(solved, solved_at, np.nan),
        "weights/sparsity": np.where(solved, record["weights/sparsity"][chosen], np.nan),
    }
    outcomes = {
        "solved": solved,
        "solved_strictly": values["extrapolation/error"] < config.threshold(name, STRICT_EPSILON),
        "solved_ever": below[first:].any(axis=0),
        "diverged": np.isinf(record.errors("interpolation/error")[-1]),
    }
    return Score(values, outcomes)


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """One table per operation: a row for each unit, a column for each range, seeds solved in each."""
    return [_table(op, of_op) for op in OPERATIONS if (of_op := _ordered(runs, op))]


def _table(op: BinaryOperation, runs: Sequence[FinishedRun]) -> Table:
    header = ("unit", *RANGES, "every range", "together", "strictly", "ever", "seeds x steps", "other options")
    rows = []
    for run in runs:
        rates = run.rates
        rows.append(
            [
                _title(run),
                *(_count([rates[f"solved/{name}"]] if f"solved/{name}" in rates else []) for name in RANGES),
                percent(rates["solved"]),
                *(_count([x for name, x in rates.items() if name.startswith(f"{kind}/")]) for kind in OUTCOMES),
                f"{run.seeds} x {run.steps}",
                format_options(_changed(run)),
            ]
        )
    return Table(f"Single module: seeds that solve {op}, by range of training", header, rows, NOTES)


NOTES = (
    "solved: extrapolation error below that of a unit whose weights are off by 1e-4, at the step of lowest validation "
    "error; strictly: by 1e-5; ever: by 1e-4, at any evaluated step. U1..2: trained on inputs from 1 to 2.",
    "every range: seeds that solve all their ranges, with the Wilson 95 % interval; together, strictly, ever: counts "
    "over ranges and seeds, without an interval, because a seed starts alike and sees like numbers in all ranges.",
    "Mistry et al. 2022 show their rates as pictures, so no published number stands beside ours.",
)


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """Success, solved-at and sparsity by range and unit, with intervals; one figure per operation."""
    return {op: _figure(op, of_op) for op in OPERATIONS if (of_op := _ordered(runs, op))}


PANELS = (
    ("seeds solved", "rates", "solved"),
    ("solved at step", "metrics", "solved_at_step"),
    ("sparsity error", "metrics", "weights/sparsity"),
)
"""Axis label, part of the summary, and name of the result in it."""
MARKERS = "osD^v<>Ph*"


def _figure(op: BinaryOperation, runs: Sequence[FinishedRun]) -> Figure:
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 9), layout="constrained")
    titles = list(dict.fromkeys(map(_title, runs)))
    colours = matplotlib.color_sequences["tab20" if len(titles) > 10 else "tab10"]
    grid = figure.subplots(len(PANELS), sharex=True)
    for axes, (label, part, name) in zip(grid, PANELS, strict=True):
        for number, run in enumerate(runs):
            offset = 0.8 * ((number + 0.5) / len(runs) - 0.5)
            rank = titles.index(_title(run))
            style = {"color": colours[rank % len(colours)], "marker": MARKERS[rank % len(MARKERS)]}
            x, centre, low, high = _intervals(run, part, name)
            spread = [np.subtract(centre, low), np.subtract(high, centre)]
            axes.errorbar(x + offset, centre, yerr=spread, linestyle="", capsize=2, label=_title(run), **style)
        axes.set_ylabel(label)
        axes.set_xticks(range(len(RANGES)), RANGES)
        for between in range(1, len(RANGES)):
            axes.axvline(between - 0.5, color="0.85", linewidth=0.8)
        axes.grid(axis="y", alpha=0.3)
    grid[0].set_ylim(-0.05, 1.05)
    grid[1].set_ylim(bottom=0)
    grid[2].set_yscale("symlog", linthresh=1e-8)  # clipped weights reach 0, which a logarithm cannot show
    grid[2].set_ylim(-5e-9, 1)
    grid[-1].set_xlabel("inputs of training")
    figure.legend(*legend_entries(grid[0]), loc="outside lower center", ncols=6)
    figure.suptitle(f"Single module, {op}: rates and medians over seeds, with 95 % intervals")
    return figure


def _intervals(run: FinishedRun, part: str, name: str) -> tuple[np.ndarray, list[float], list[float], list[float]]:
    """Positions of the ranges where there is a value, the values, and their intervals."""
    centre = "rate" if part == "rates" else "median"
    of_part = run.rates if part == "rates" else run.metrics
    results = [of_part.get(f"{name}/{bounds}") for bounds in RANGES]
    found = [(x, result) for x, result in enumerate(results) if result is not None and result[centre] is not None]
    x, values = [x for x, _ in found], [result for _, result in found]
    middle, low, high = ([result[key] for result in values] for key in (centre, "low", "high"))
    return np.array(x, float), middle, low, high


def _count(rates: Sequence[dict[str, Any]]) -> str:
    """Successes over several rates of summary.json together."""
    return f"{sum(x['count'] for x in rates)}/{sum(x['of'] for x in rates)}" if rates else "–"


def _ordered(runs: Sequence[FinishedRun], op: BinaryOperation) -> list[FinishedRun]:
    """The finished runs of an operation, by unit and number of inputs; units of other packages are last."""
    names = list(UNITS)

    def key(run: FinishedRun) -> tuple[Any, ...]:
        options = run.options
        cell = options["cell"]
        place = names.index(cell) if cell in names else len(names)
        return place, cell, options["input_size"], format_options(_changed(run))

    return sorted((run for run in runs if run.options["op"] == op), key=key)


def _title(run: FinishedRun) -> str:
    options = run.options
    return options["cell"] if options["input_size"] == 2 else f"{options['cell']}, {options['input_size']} inputs"


def _changed(run: FinishedRun) -> dict[str, Any]:
    """Options that differ from the defaults of the run's operation, unit and size."""
    options = run.options
    reference = Config(op=options["op"], cell=options["cell"], input_size=options["input_size"])
    changed = changed_options(options, reference)
    changed.pop("ranges", None)  # the columns show them
    return changed
