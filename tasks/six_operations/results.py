"""The results of six operations: scores and the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tasks.arithmetic import scoring
from tasks.arithmetic.problem import OPERATIONS
from tasks.harness.contract import Score
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.tables import Table, changed_options, format_options, number, percent, steps
from tasks.six_operations.options import Config
from tasks.six_operations.published import best_single_unit
from tasks.six_operations.three_networks import STRUCTURES

NETWORKS = {"one": "one, gated", "three": "three"}
"""The names of the networks in the table."""


def score(config: Config, record: Record) -> Score:
    """Success, errors and scores of every seed, and which structure is chosen."""
    result = scoring.score(config, record)
    return replace(result, outcomes={**result.outcomes, **outcomes(record, config.threshold())})


def outcomes(record: Record, threshold: float) -> dict[str, np.ndarray]:
    """Which structure is chosen, and which seeds are solved without snapping, ``(S,)`` each."""
    chosen = record["chosen/head"][record.chosen()]
    first = 1 if len(record.steps) > 1 else 0
    trained = first + record.errors("unsnapped/interpolation")[first:].argmin(axis=0)
    unsnapped = record.errors("unsnapped/extrapolation")[trained, np.arange(len(record.seeds))]
    return {
        "solved/unsnapped": unsnapped < threshold,
        **{f"chosen/{name}": chosen == index for index, name in enumerate(STRUCTURES)},
    }


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """One row per network, kind of exponents and operation."""
    ordered = sorted(
        runs, key=lambda run: (run.options["networks"], run.options["exponents"], OPERATIONS.index(run.options["op"]))
    )
    rows = []
    for run in ordered:
        rates, metrics, op = run.rates, run.metrics, run.options["op"]
        chosen = [
            f"{name} {rates[f'chosen/{name}']['count']}" for name in STRUCTURES if rates[f"chosen/{name}"]["count"]
        ]
        rows.append(
            [
                op,
                NETWORKS[run.options["networks"]],
                percent(rates["solved"]),
                percent(rates["solved/unsnapped"]),
                _best(op),
                ", ".join(chosen),
                steps(metrics["solved_at_step"]["median"]),
                number(metrics["extrapolation/error"]["median"]),
                f"{run.seeds} x {run.steps}",
                format_options(_changed(run.options)),
            ]
        )
    header = (
        "operation", "networks", "solved", "without snapping", "best single unit", "structure chosen", "at step",
        "error", "seeds x steps", "other options",
    )  # fmt: skip
    notes = (
        "A search over three structures, not a single unit that learns its operation: V W x; h1^p h2^q that starts at "
        "p = q; the same that starts at p = -q. networks three: each structure is trained by itself, and the one with "
        "the lowest error on the training range is chosen. networks one: the structures share a first layer, and a "
        "learned gate chooses. The options are the same for all operations.",
        "Priors: the structures; positive row means; by default p starts at 1, which is the answer for mul and div, "
        "and p - q keeps its value. With learned exponents p starts at 0.3, and p - q is learned, too. If snapped "
        "structures are candidates: first-layer weights in {-1, 0, 1}, p and q in quarters.",
        "without snapping: structures are candidates only as they were trained. best single unit: published, of 100 "
        "seeds, 5 000 000 steps, without these priors (Madsen & Johansen 2020).",
    )
    return [Table("Six operations: three structures to choose from", header, rows, notes)]


def _changed(options: dict[str, Any]) -> dict[str, Any]:
    """Options that differ from the defaults of the operation and the networks."""
    return changed_options(options, Config(op=options["op"], networks=options["networks"]))


def _best(op: Any) -> str:
    """The best published single unit, in percent."""
    cell, count, _ = best_single_unit(op)
    return f"{count} % ({cell})" if count else "0 %"
