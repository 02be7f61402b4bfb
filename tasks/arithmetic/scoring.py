"""The score of a record on subset sums; static arithmetic and six operations share it."""

from __future__ import annotations

import numpy as np

from tasks.arithmetic.options import SubsetSumsConfig
from tasks.arithmetic.thresholds import published_subsets
from tasks.harness.contract import Score
from tasks.harness.record import Record


def score(config: SubsetSumsConfig, record: Record) -> Score:
    """Success, errors and scores of every seed, at the evaluated step where its validation error was lowest.

    The percent scores are relative to the error before training.
    """
    errors = {name: record.errors(f"{name}/error") for name in ("interpolation", "extrapolation")}
    chosen = record.chosen()
    first = 1 if len(record.steps) > 1 else 0

    solved = errors["extrapolation"] < config.threshold()
    solved_ever = solved[first:].any(axis=0)
    solved_at = record.steps[first + solved[first:].argmax(axis=0)]
    solved_chosen = solved[chosen]
    values = {
        **{f"{name}/error": error[chosen] for name, error in errors.items()},
        **{f"{name}/percent_of_random": record.percent_of_random(f"{name}/error") for name in errors},
        "solved_at_step": np.where(solved_chosen, solved_at, np.nan),
        "weights/sparsity": np.where(solved_chosen, record["weights/sparsity"][chosen], np.nan),
    }
    if "weights/network_sparsity" in record.metrics:
        values["weights/network_sparsity"] = np.where(solved_chosen, record["weights/network_sparsity"][chosen], np.nan)
    if "gate/mean" in record.metrics:
        values["gate/mean"] = record["gate/mean"][chosen]
    outcomes = {
        "solved": solved_chosen,
        "solved/ever": solved_ever,
        "diverged": np.isinf(errors["interpolation"][-1]),
    }
    if (larger := published_subsets(config.subsets)) is not None:
        outcomes["solved/published_threshold"] = values["extrapolation/error"] < config.threshold(larger)
    return Score(values, outcomes)
