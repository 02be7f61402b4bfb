"""The results of recurrent arithmetic: scores, the table and the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arithmetic.problem import OPERATIONS
from tasks.harness.contract import Score
from tasks.harness.finished_run import FinishedRun
from tasks.harness.metrics import curve
from tasks.harness.record import Record
from tasks.harness.tables import Table, changed_options, format_options, number, percent, with_interval
from tasks.harness.verdict import LEAST_SEEDS, Verdict, of_bound
from tasks.recurrent_arithmetic.data import LENGTHS
from tasks.recurrent_arithmetic.model import BASELINES, CELLS
from tasks.recurrent_arithmetic.options import Config
from tasks.recurrent_arithmetic.published import NEAR_ZERO, PUBLISHED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def score(config: Config, record: Record) -> Score:
    """Success and errors of every seed at each length, at the evaluated step where its validation error was lowest."""
    chosen = record.chosen()
    first = 1 if len(record.steps) > 1 else 0
    validation = record.errors("interpolation/error")
    values = {"interpolation/error": validation[chosen]}
    outcomes = {}
    for length in LENGTHS:
        error = record.errors(curve(length))
        below = error < config.threshold(length)
        values[f"error/length_{length}"] = error[chosen]
        values[f"percent_of_random/length_{length}"] = record.percent_of_random(curve(length))
        outcomes[f"solved/length_{length}"] = below[chosen]
        outcomes[f"solved/ever_length_{length}"] = below[first:].any(axis=0)
    solved = outcomes[f"solved/length_{LENGTHS[-1]}"]
    values["extrapolation/error"] = values[f"error/length_{LENGTHS[-1]}"]
    values["weights/sparsity"] = np.where(solved, record["weights/sparsity"][chosen], np.nan)
    return Score(values, {"solved": solved, **outcomes, "diverged": np.isinf(validation[-1])})


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """One row per operation and cell: seeds solved at each length, errors and the paper's score."""
    rows = []
    for run in _ordered(runs):
        rates, metrics = run.rates, run.metrics
        rows.append(
            [
                f"{run.options['op']} {run.options['cell']}",
                *(percent(rates[f"solved/length_{n}"]) for n in LENGTHS),
                with_interval(metrics[_SCORE]),
                *_published(run),
                *(number(metrics[f"error/length_{n}"]["median"]) for n in LENGTHS),
                f"{run.seeds} x {run.steps}",
                format_options(_changed(run)),
            ]
        )
    header = (
        "operation, cell",
        *(f"solved at {n}" for n in LENGTHS),
        f"% of random at {LENGTHS[-1]}",
        "published",
        "verdict",
        *(f"error at {n}" for n in LENGTHS),
        "seeds x steps",
        "other options",
    )
    notes = (
        "solved: error below that of a network whose weights, the recurrent ones too, are off by 1e-5, at the step "
        "of lowest validation error (length 10). Intervals: Wilson 95 %. Errors: mean squared, medians over seeds.",
        "% of random: error in percent of the untrained network's, median with its 95 % interval. Published: the same "
        "score, as recalled from Trask et al. 2018, section 4.1, without a number of seeds or steps.",
        f"Verdict: near 0 is read as at most {NEAR_ZERO:g} %; reproduced where the whole interval is, not reproduced "
        f"where the median is not, undecided between and with fewer than {LEAST_SEEDS} seeds.",
    )
    return [Table("Recurrent arithmetic: trained on 10 steps, tested on up to 1000", header, rows, notes)]


_SCORE = f"percent_of_random/length_{LENGTHS[-1]}"


def _published(run: FinishedRun) -> tuple[str, str]:
    """The published figure, and our verdict."""
    options = run.options
    recalled = PUBLISHED.get((options["op"], options["cell"]))
    if recalled is None:
        return "–", Verdict.NO_FIGURE
    return recalled, of_bound(run.metrics[_SCORE], NEAR_ZERO, run.seeds)


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """Error relative to the threshold against length, by operation; below the line, the median seed is solved."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    shown_cells = list(dict.fromkeys(run.options["cell"] for run in sorted(runs, key=_rank)))
    figure = Figure(figsize=(12, 7), layout="constrained")
    grid = figure.subplots(2, 3, sharex=True, sharey=True)
    for axes, op in zip(grid.flat, OPERATIONS, strict=True):
        shown = [run for run in _ordered(runs) if run.options["op"] == op and not _changed(run)]
        for run in shown:
            config = Config.from_dict(run.options)
            rank = shown_cells.index(config.cell)
            ratios = [_ratio(run.metrics[f"error/length_{n}"]["median"], config.threshold(n)) for n in LENGTHS]
            style = "--" if config.cell in BASELINES else "-"
            colour = colormaps["viridis"](rank / max(len(shown_cells) - 1, 1) * 0.95)
            axes.plot(LENGTHS, ratios, style, marker="os^vD*PXh"[rank % 9], color=colour, label=config.cell)
        axes.axhline(1, color="0.5", linewidth=1)
        axes.set(title=op, xscale="log", yscale="log", ylim=(1e-7, 1e12), xticks=LENGTHS, xticklabels=LENGTHS)
        axes.grid(alpha=0.3)
        if not shown:
            axes.text(0.5, 0.6, "not run", transform=axes.transAxes, ha="center", color="0.5")
    for axes in grid[:, 0]:
        axes.set_ylabel("error / threshold (median over seeds)")
    for axes in grid[-1]:
        axes.set_xlabel("sequence length")
    lines = {line.get_label(): line for axes in grid.flat for line in axes.lines if line.get_label() in shown_cells}
    figure.legend(lines.values(), lines.keys(), loc="outside right upper")
    figure.suptitle("Recurrent arithmetic: trained on 10 steps; below the line: solved")
    return {"error-against-length": figure}


def _ratio(error: float | None, threshold: float) -> float:
    return float("nan") if error is None else max(error / threshold, 1e-6)


def _changed(run: FinishedRun) -> dict[str, Any]:
    options = run.options
    return changed_options(options, Config(op=options["op"], cell=options["cell"]))


def _ordered(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    return sorted(runs, key=lambda run: (OPERATIONS.index(run.options["op"]), _rank(run), len(_changed(run))))


def _rank(run: FinishedRun) -> tuple[int, str]:
    """The place of a run's cell; units of other packages are last."""
    cell = run.options["cell"]
    return CELLS.index(cell) if cell in CELLS else len(CELLS), cell
