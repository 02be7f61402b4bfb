"""The results: how a record is scored, the table and the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.harness.contract import Score
from tasks.harness.finished_run import FinishedRun
from tasks.harness.metrics import EXTRAPOLATION_ERROR, INTERPOLATION_ERROR, SOLVED
from tasks.harness.record import Record
from tasks.harness.tables import Table, changed_options, format_options, percent, with_interval
from tasks.harness.verdict import RATE_RULE, Verdict, of_rate

from .options import Config
from .published import SUCCESSES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def score(config: Config, record: Record) -> Score:
    """The results of every seed at its chosen step, the one with the lowest validation error."""
    errors = {name: record.errors(name) for name in (INTERPOLATION_ERROR, EXTRAPOLATION_ERROR)}
    chosen = record.chosen()
    values = {name: error[chosen] for name, error in errors.items()}
    outcomes = {
        SOLVED: values[EXTRAPOLATION_ERROR] < config.threshold,
        "diverged": np.isinf(errors[INTERPOLATION_ERROR][-1]),
    }
    return Score(values, outcomes)


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """One row per run, the published figure beside ours."""
    errors = ("interpolation error", "extrapolation error")
    header = ("network", "solved", "published", "verdict", *errors, "seeds x steps")
    rows = [
        [
            _name(run),
            percent(run.rates[SOLVED]),
            *_published(run),
            with_interval(run.metrics[INTERPOLATION_ERROR]),
            with_interval(run.metrics[EXTRAPOLATION_ERROR]),
            f"{run.seeds} x {run.steps}",
        ]
        for run in runs
    ]
    notes = ("Mean squared errors: median over seeds with its 95 % interval.", RATE_RULE)
    return [Table("My task", header, rows, notes)]


def figures(runs: Sequence[FinishedRun]) -> dict[str, Figure]:
    """The fraction of solved seeds of each run, with its interval."""
    from matplotlib.figure import Figure

    rates = [run.rates[SOLVED] for run in runs]
    figure = Figure(figsize=(6, 1.5 + 0.4 * len(runs)), layout="constrained")
    axes = figure.subplots()
    for row, rate in enumerate(rates):
        axes.plot([rate["low"], rate["high"]], [row, row], color="0.6")
        axes.plot(rate["rate"], row, "o", color="C0")
    axes.set_yticks(range(len(runs)), [_name(run) for run in runs])
    axes.set(title="Solved seeds", xlabel="fraction of seeds, with its 95 % interval", xlim=(-0.02, 1.02))
    axes.invert_yaxis()  # the order of the table
    return {"solved": figure}


def _name(run: FinishedRun) -> str:
    """The network of a run, and its options that differ from the defaults."""
    changed = changed_options(run.options, Config(cell=run.options["cell"]))
    return " ".join([run.options["cell"], format_options(changed)]).strip()


def _published(run: FinishedRun) -> tuple[str, str]:
    """The published figure and our verdict; a dash for a network of which nothing is published."""
    if (published := SUCCESSES.get(run.options["cell"])) is None:
        return "–", Verdict.NO_FIGURE
    count, of = published
    return f"{count}/{of}", of_rate(run.rates[SOLVED], count, of)
