"""The results of the identity task: scores, the table and figure 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.harness.contract import Score
from tasks.harness.finished_run import FinishedRun
from tasks.harness.legends import legend_entries
from tasks.harness.metrics import curve
from tasks.harness.record import Record
from tasks.harness.tables import Table, number, with_interval
from tasks.harness.verdict import LEAST_SEEDS, Verdict, of_order
from tasks.identity.data import TEST_LIMIT, TRAINING_LIMIT
from tasks.identity.model import ACTIVATIONS
from tasks.identity.options import Config
from tasks.identity.published import BEST, FAILS, LEAST

if TYPE_CHECKING:
    from matplotlib.figure import Figure


INTEGERS = range(-TEST_LIMIT, TEST_LIMIT + 1)


def score(config: Config, record: Record) -> Score:
    """Mean absolute errors of every seed after the last step, as in the paper's figure; no step is chosen."""
    values = {name: np.nan_to_num(record[name][-1], nan=np.inf, posinf=np.inf) for name in record.metrics}
    return Score(values, {"diverged": np.isinf(values["interpolation/error"])})


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """Errors inside and outside the training range, worst extrapolation first."""
    rows = []
    ordered = _ordered(runs)
    for run in reversed(ordered):
        inside, outside = _errors(run)
        rows.append(
            [
                run.options["cell"],
                with_interval(inside),
                with_interval(outside),
                number(outside["p90"]),
                *_published(run, ordered),
                f"{run.seeds} x {run.steps}",
            ]
        )
    header = (
        "cell",
        "error inside [-5, 5]",
        "error outside, to [-20, 20]",
        "outside, 90th percentile",
        "published",
        "verdict",
        "seeds x steps",
    )
    notes = (
        "Mean absolute error: median over seeds with its 95 % interval.",
        "Published as a figure only (Trask et al. 2018, figure 1): every activation fails outside the training range, "
        "PReLU least. Verdict: reproduced where the interval outside lies above that inside, for the PReLU where it "
        "lies below that of every other activation; not reproduced where the medians are in another order; undecided "
        f"between, and with fewer than {LEAST_SEEDS} seeds.",
    )
    return [Table("Identity: numerical extrapolation failures", header, rows, notes)]


def _published(run: FinishedRun, runs: Sequence[FinishedRun]) -> tuple[str, str]:
    """The finding of the paper's figure for an activation, and our verdict."""
    cell = run.options["cell"]
    if cell not in ACTIVATIONS:
        return "–", Verdict.NO_FIGURE
    inside, outside = _errors(run)
    if cell != BEST:
        return FAILS, of_order(inside, [outside], run.seeds)
    others = [other for other in runs if other.options["cell"] in ACTIVATIONS.keys() - {cell}]
    if {other.options["cell"] for other in others} != ACTIVATIONS.keys() - {cell}:
        return LEAST, Verdict.NOT_COMPARABLE
    return LEAST, of_order(outside, [_errors(other)[1] for other in others], run.seeds)


def _errors(run: FinishedRun) -> list[dict[str, float | None]]:
    """Inside and outside the training range, as in summary.json."""
    return [run.metrics[f"{part}polation/error"] for part in ("inter", "extra")]


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """The paper's figure 1: error against input, the median over seeds of every activation."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    ordered = _ordered(runs)
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-TRAINING_LIMIT, TRAINING_LIMIT, color="0.92", label="training range")
    styles = ("-", "--", "-.", ":")
    cells = list(dict.fromkeys(run.options["cell"] for run in reversed(ordered)))
    for run in reversed(ordered):
        rank = cells.index(run.options["cell"])
        errors_at = [run.metrics[curve(n)]["median"] for n in INTEGERS]
        errors = [np.nan if error is None else error for error in errors_at]
        colour = colormaps["viridis"](rank / max(len(cells) - 1, 1) * 0.95)
        axes.plot(INTEGERS, errors, styles[rank % 4], color=colour, linewidth=1.8, label=run.options["cell"])
    axes.set(
        title="Networks trained to copy numbers from -5 to 5",
        xlabel="input", ylabel="absolute error (median over seeds)",
        xlim=(-TEST_LIMIT, TEST_LIMIT), ylim=(0, TEST_LIMIT),
    )  # fmt: skip
    # Sorted by error, so that the legend has the order of the lines.
    axes.legend(*legend_entries(axes), loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return {"figure-1": figure}


def _ordered(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Best extrapolation first; a median that is not finite last."""

    def error(run: FinishedRun) -> float:
        median = run.metrics["extrapolation/error"]["median"]
        return float("inf") if median is None else median

    return sorted(runs, key=error)
