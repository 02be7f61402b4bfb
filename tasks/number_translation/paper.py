"""What was published on number words, the settings of our tables, and how a record is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.harness.contract import Score
from tasks.harness.files import read_columns
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.tables import Table, changed_options, format_options, number, percent, with_interval
from tasks.harness.verdict import ERROR_RULE, Verdict, of_error
from tasks.number_translation.model import Kind
from tasks.number_translation.train import PREDICTIONS, Config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PUBLISHED: dict[str, tuple[float, float, float]] = {
    "lstm": (0.003, 29.9, 29.4),
    "lstm-nac": (80.0, 114.1, 114.3),
    "lstm-nalu": (0.12, 0.39, 0.41),
}
"""Mean absolute errors in training, validation and test: Trask et al. 2018, section 4.3, as recalled."""

FRESH_SEED = 1000
"""The tables begin here: the settings were chosen while looking at the results of seeds from 0 on."""

_COMPOSES = Config(model="multiply-add", first_seed=FRESH_SEED, steps=160, eval_every=20)
_STEPS: dict[Kind, int] = {
    "lstm": 3000,
    "lstm-nac": 3000,
    "lstm-nalu": 3000,
    "gru": 3000,
    "transformer": 1000,
    "nalu-cell": 6000,
}
_READERS = tuple(Config(model=model, first_seed=FRESH_SEED, steps=steps) for model, steps in _STEPS.items())
_LARGE = replace(
    _COMPOSES, limit=1_000_000, hidden=2, train_size=1000, seeds=16, steps=300, curriculum=15, penalty=1e-5
)
SWEEP = {
    "quick": (
        replace(_COMPOSES, seeds=10),
        *(replace(config, seeds=10, steps=1000) for config in _READERS if config.model in PUBLISHED),
    ),
    "standard": (
        _COMPOSES,
        *_READERS,
        *(replace(config, split_seed=0) for config in (_COMPOSES, *_READERS[:3])),
        _LARGE,
    ),
    "full": tuple(replace(config, seeds=100, steps=5 * config.steps) for config in (*_READERS, _COMPOSES)),
}

PARTS = ("train", "interpolation", "extrapolation")
"""In the metric vocabulary: training, validation and test."""


def score(config: Config, record: Record) -> Score:
    """Errors and exactness of every seed, at the evaluated step where its validation error was lowest."""
    chosen = record.chosen()
    exact = {part: np.nan_to_num(record[f"exact/{part}"], nan=0.0) for part in PARTS}
    values = {
        **{f"{part}/error": record.errors(f"{part}/error")[chosen] for part in PARTS},
        **{f"exact/{part}": exact[part][chosen] for part in PARTS},
    }
    outcomes = {
        "solved": exact["extrapolation"][chosen] == 1,
        "below_published": values["extrapolation/error"] <= PUBLISHED["lstm-nalu"][2],
        "diverged": np.isinf(record.errors("interpolation/error")[-1]),
    }
    return Score(values, outcomes)


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """One row a setting: errors beside the published ones, and the seed that validation chooses."""
    rows = []
    for run in _ordered(runs):
        options, metrics, rates = run.options, run.metrics, run.rates
        values = run.per_seed
        best = values["interpolation/error"].argmin()
        published = PUBLISHED.get(options["model"])
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
    if options["model"] not in PUBLISHED:
        return Verdict.NO_FIGURE
    if not _is_the_papers(options):
        return Verdict.NOT_COMPARABLE
    test = run.metrics["extrapolation/error"]
    return of_error(test, PUBLISHED[options["model"]][2], run.seeds)


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """The test error of every seed, by model, beside the published one."""
    from matplotlib.figure import Figure

    shown = [run for run in _ordered(runs) if _is_the_papers(run.options)]
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for position, run in enumerate(shown):
        errors = run.per_seed["extrapolation/error"]
        spread = np.linspace(-0.25, 0.25, len(errors))
        axes.plot(position + spread, np.sort(np.maximum(errors, 1e-6)), "o", color="#0072B2", markersize=4, alpha=0.7)
        if (published := PUBLISHED.get(run.options["model"])) is not None:
            axes.plot([position - 0.4, position + 0.4], [published[2]] * 2, color="#D55E00", linewidth=2.5)
    axes.axhline(0.5, color="0.6", linewidth=0.8)
    axes.text(
        len(shown) - 0.5, 0.5, "rounds to the right number", color="0.4", fontsize="small", ha="right", va="bottom"
    )
    axes.set(yscale="log", ylabel="test error (mean absolute)", title="Number words to numbers: one point a seed")
    axes.set_xticks(range(len(shown)), [run.options["model"] for run in shown])
    axes.plot([], [], color="#D55E00", linewidth=2.5, label="Trask et al. 2018, as recalled")
    axes.plot([], [], "o", color="#0072B2", label="this suite, seeds in order of their error")
    axes.legend(fontsize="small")
    axes.grid(axis="y", alpha=0.3)
    said = {"predicted-against-true": _predicted_against_true(shown)}
    return {"test-error": figure, **{name: drawn for name, drawn in said.items() if drawn is not None}}


def _predicted_against_true(runs: Sequence[FinishedRun]) -> Figure | None:
    """Test numbers of the seed that validation chooses, by model; None where no run tells them."""
    from matplotlib.figure import Figure

    runs = [run for run in runs if (run.directory / PREDICTIONS).exists()]
    if not runs:
        return None
    columns = min(len(runs), 4)
    rows = -(-len(runs) // columns)
    figure = Figure(figsize=(2.8 * columns, 2.8 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, run in zip(grid.flat, runs, strict=False):
        said = read_columns(run.directory / PREDICTIONS)
        axes.plot([0, said["number"].max()], [0, said["number"].max()], color="0.5", linewidth=0.8)
        axes.plot(said["number"], said["predicted"], ".", markersize=2.5, color="#0072B2")
        axes.set_title(run.options["model"], fontsize="small")
    for axes in grid.flat[len(runs) :]:
        axes.set_axis_off()
    figure.supxlabel("number")
    figure.supylabel("what the network says")
    figure.suptitle("Number words: unseen numbers, the seed that validation chooses")
    return figure


def _changed(options: dict[str, Any]) -> dict[str, Any]:
    return changed_options(options, Config(model=options["model"]))


def _is_the_papers(options: dict[str, Any]) -> bool:
    """Whether the run has the paper's numbers and each seed its own split of them."""
    return not set(_changed(options)) & {"limit", "train_size", "validation_size", "split_seed", "language"}


def _ordered(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """The paper's models first, then the others; variants after their model."""
    models = [*PUBLISHED, "gru", "transformer", "nalu-cell", "multiply-add"]

    def key(run: FinishedRun) -> tuple[int, int, int]:
        options = run.options
        return options["limit"], models.index(options["model"]), len(_changed(options))

    return sorted(runs, key=key)
