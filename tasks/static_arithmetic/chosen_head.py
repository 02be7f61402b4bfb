"""The results of heads: a search over structures, in a table of its own, not among the single units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.tables import Table, format_options, number, percent
from tasks.static_arithmetic.data import OPERATIONS
from tasks.static_arithmetic.heads import HEADS

NETWORKS = {"gated-heads": "one, gated", "heads": "three"}
"""By cell."""


def outcomes(record: Record, threshold: float) -> dict[str, np.ndarray]:
    """Which head is chosen, and which seeds are solved when only heads as trained are to choose from, ``(S,)`` each."""
    chosen = record["chosen/head"][record.chosen()]
    first = 1 if len(record.steps) > 1 else 0
    trained = first + record.errors("unsnapped/interpolation")[first:].argmin(axis=0)
    unsnapped = record.errors("unsnapped/extrapolation")[trained, np.arange(len(record.seeds))]
    return {
        "solved/unsnapped": unsnapped < threshold,
        **{f"chosen/{name}": chosen == index for index, name in enumerate(HEADS)},
    }


def table(
    runs: Sequence[FinishedRun],
    published: Mapping[str, Sequence[int]],
    changed: Callable[[FinishedRun], dict[str, Any]],
) -> Table:
    """One row per operation, network and kind of exponents.

    Args:
        runs: of heads, finished.
        published: successes of single units by OPERATIONS, of 100 seeds.
        changed: the options of a run that are not the defaults.
    """
    rows = []
    for run in sorted(runs, key=lambda run: (run.options["cell"], run.options["exponents"])):
        rates, metrics, op = run.rates, run.metrics, run.options["op"]
        heads = [f"{name} {rates[f'chosen/{name}']['count']}" for name in HEADS if rates[f"chosen/{name}"]["count"]]
        rows.append(
            [
                op,
                NETWORKS[run.options["cell"]],
                percent(rates["solved"]),
                percent(rates["solved/unsnapped"]),
                _best({cell: counts[OPERATIONS.index(op)] for cell, counts in published.items()}),
                ", ".join(heads),
                number(metrics["solved_at_step"]["median"]),
                number(metrics["extrapolation/error"]["median"]),
                f"{run.seeds} x {run.steps}",
                format_options(changed(run)),
            ]
        )
    header = (
        "operation", "networks", "solved", "without snapping", "best single unit", "head chosen", "at step", "error",
        "seeds x steps", "other options",
    )  # fmt: skip
    notes = (
        "Not a single unit that learns its operation: three structures (V W x; h1^p h2^q from p = q; the same from "
        "p = -q). networks: three, each trained by itself so many steps, of which the lowest error on the training "
        "range is chosen; or one, whose first layer all structures share and whose gate, learned with it, chooses. The "
        "same options for all operations.",
        "Priors: these structures; positive row means; by default p starts at 1, which is the answer for mul and div, "
        "and p - q stays what it is; with exponents learned p starts at 0.3, and nothing is kept. Where snapped heads "
        "are candidates: first-layer weights in {-1, 0, 1}, p and q in quarters.",
        "without snapping: only heads as trained are candidates. best single unit: published, of 100 seeds, 5 000 000 "
        "steps, without these priors (Madsen & Johansen 2020).",
    )
    return Table("Static arithmetic: three structures to choose from", header, rows, notes)


def _best(counts: Mapping[str, int]) -> str:
    """The largest count, in percent, and the cell that has it."""
    best = max(counts, key=lambda cell: counts[cell])
    return f"{counts[best]} % ({best})" if counts[best] else "0 %"
