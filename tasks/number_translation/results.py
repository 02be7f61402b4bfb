"""The results of number words to numbers: scores, the table and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.harness.contract import MOST_PANELS, Score
from tasks.harness.files import read_columns
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.tables import Table, changed_options, format_options, number, percent, with_interval
from tasks.harness.verdict import ERROR_RULE, Verdict, of_error
from tasks.number_translation.options import Config
from tasks.number_translation.published import TRASK
from tasks.number_translation.train import PREDICTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = ("train", "interpolation", "extrapolation")
"""Training, validation and test, as in the names of metrics."""


def score(config: Config, record: Record) -> Score:
    """Errors and exact fractions of every seed at the evaluated step with its lowest validation error."""
    chosen = record.chosen()
    exact = {part: np.nan_to_num(record[f"exact/{part}"], nan=0.0) for part in PARTS}
    values = {
        **{f"{part}/error": record.errors(f"{part}/error")[chosen] for part in PARTS},
        **{f"exact/{part}": exact[part][chosen] for part in PARTS},
    }
    outcomes = {
        "solved": exact["extrapolation"][chosen] == 1,
        "below_published": values["extrapolation/error"] <= TRASK["lstm-nalu"][2],
        "diverged": np.isinf(record.errors("interpolation/error")[-1]),
    }
    return Score(values, outcomes)


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """One row per setting: errors beside the published ones, and the seed with the lowest validation error."""
    rows = []
    for run in _ordered(runs):
        options, metrics, rates = run.options, run.metrics, run.rates
        values = run.per_seed
        best = values["interpolation/error"].argmin()
        published = TRASK.get(options["model"])
        test = metrics["extrapolation/error"]
        rows.append(
            [
                options["model"],
                *(number(metrics[f"{part}/error"]["median"]) for part in PARTS[:2]),
                with_interval(test),
                number(test["mean"]),
                " / ".join(number(value) for value in published) if published else "–",
                _verdict(run),
                number(metrics["exact/extrapolation"]["median"]),
                percent(rates["solved"]),
                f"{number(values['extrapolation/error'][best])}, {number(values['exact/extrapolation'][best])}",
                f"{run.seeds} x {run.steps}",
                format_options(_changed(options)),
            ]
        )
    header = (
        "model", "train", "validation", "test", "test, mean", "published", "verdict", "exact", "all exact",
        "chosen seed: test, exact", "seeds x steps", "other options",
    )  # fmt: skip
    notes = (
        "Mean absolute errors at the step of lowest validation error: medians over seeds, the test error with its 95 % "
        "interval. exact: part of the test numbers that are right when rounded; all exact: seeds with all of them "
        "right; chosen seed: that of the lowest validation error.",
        "published: Trask et al. 2018 as recalled (training / validation / test), without a number of seeds or steps. "
        "The verdict is on the test error; rows with other numbers, or one split of them for all seeds, are not "
        "comparable.",
        ERROR_RULE,
    )
    return [Table("Number words to numbers", header, rows, notes)]


def _verdict(run: FinishedRun) -> Verdict:
    options = run.options
    if options["model"] not in TRASK:
        return Verdict.NO_FIGURE
    if not _is_comparable(options):
        return Verdict.NOT_COMPARABLE
    test = run.metrics["extrapolation/error"]
    return of_error(test, TRASK[options["model"]][2], run.seeds)


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """The test error of every seed, by model, beside the published one; predictions against true numbers."""
    from matplotlib.figure import Figure

    shown = [run for run in _ordered(runs) if _is_comparable(run.options)]
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for position, run in enumerate(shown):
        errors = run.per_seed["extrapolation/error"]
        spread = np.linspace(-0.25, 0.25, len(errors))
        axes.plot(position + spread, np.sort(np.maximum(errors, 1e-6)), "o", color="#0072B2", markersize=4, alpha=0.7)
        if (published := TRASK.get(run.options["model"])) is not None:
            axes.plot([position - 0.4, position + 0.4], [published[2]] * 2, color="#D55E00", linewidth=2.5)
    axes.axhline(0.5, color="0.6", linewidth=0.8)
    axes.text(
        len(shown) - 0.5, 0.5, "rounds to the right number", color="0.4", fontsize="small", ha="right", va="bottom"
    )
    axes.set(yscale="log", ylabel="test error (mean absolute)", title="Number words to numbers: one point per seed")
    axes.set_xticks(range(len(shown)), [run.options["model"] for run in shown])
    axes.plot([], [], color="#D55E00", linewidth=2.5, label="Trask et al. 2018, quoted from memory")
    axes.plot([], [], "o", color="#0072B2", label="this suite, seeds sorted by error")
    axes.legend(fontsize="small")
    axes.grid(axis="y", alpha=0.3)
    scatter = _predicted_against_true(shown)
    return {"test-error": figure} if scatter is None else {"test-error": figure, "predicted-against-true": scatter}


def _predicted_against_true(runs: Sequence[FinishedRun]) -> Figure | None:
    """Predictions for the test numbers by the seed with the lowest validation error; None if no run has them."""
    from matplotlib.figure import Figure

    runs = [run for run in runs if (run.directory / PREDICTIONS).exists()][:MOST_PANELS]
    if not runs:
        return None
    columns = min(len(runs), 4)
    rows = -(-len(runs) // columns)
    figure = Figure(figsize=(2.8 * columns, 2.8 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, run in zip(grid.flat, runs, strict=False):
        saved = read_columns(run.directory / PREDICTIONS)
        target, prediction = saved["number"], saved["predicted"]
        axes.plot([0, target.max()], [0, target.max()], color="0.5", linewidth=0.8)
        axes.plot(target, prediction, ".", markersize=2.5, color="#0072B2")
        axes.set_title(run.options["model"], fontsize="small")
    for axes in grid.flat[len(runs) :]:
        axes.set_axis_off()
    figure.supxlabel("number")
    figure.supylabel("prediction")
    figure.suptitle("Number words: unseen numbers, the seed with the lowest validation error")
    return figure


def _changed(options: dict[str, Any]) -> dict[str, Any]:
    return changed_options(options, Config(model=options["model"]))


def _is_comparable(options: dict[str, Any]) -> bool:
    """Whether the run uses the numbers of the paper, with one split per seed."""
    return not set(_changed(options)) & {"limit", "train_size", "validation_size", "split_seed", "language"}


def _ordered(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """The models of the paper first, then the others; variants of a model come after it."""
    models = [*TRASK, "gru", "transformer", "nalu-cell", "multiply-add"]

    def key(run: FinishedRun) -> tuple[int, int, str, int]:
        options = run.options
        model = options["model"]
        place = models.index(model) if model in models else len(models)
        return options["limit"], place, model, len(_changed(options))

    return sorted(runs, key=key)
