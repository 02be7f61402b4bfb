"""How `nalu compare` trains units on static arithmetic: one optimiser for all, the published regularisers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.arithmetic.comparison import RIVALS
from tasks.harness.contract import UnitComparison
from tasks.harness.finished_run import FinishedRun
from tasks.static_arithmetic.options import Config

PROFILES: dict[str, dict[str, Any]] = {
    "quick": {"seeds": 10, "steps": 5000, "eval_size": 1000, "eval_every": 500},
    "standard": {"seeds": 25, "steps": 50_000},
}


def config(unit: str, operation: str, profile: str, learning_rate: float) -> Config:
    """The options of one run."""
    options: dict[str, Any] = {"op": operation, **PROFILES[profile]}
    return Config(cell=unit, learning_rate=learning_rate, beta1=0.9, beta2=0.95, **options)


def success(run: FinishedRun) -> np.ndarray:
    """Whether a seed is solved, 0 or 1, ``(S,)``."""
    return run.per_seed["solved"]


def solved_at(run: FinishedRun) -> np.ndarray:
    """The step at which each seed was solved, ``(S,)``; NaN where unsolved."""
    return run.per_seed["solved_at_step"]


COMPARISON = UnitComparison(RIVALS, (0.003, 0.03, 0.1), config, success, solved_at)
