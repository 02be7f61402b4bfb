"""How `nalu compare` trains units on the single-module benchmark: nine ranges, the published regularisers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.arithmetic.comparison import RIVALS
from tasks.harness.contract import UnitComparison
from tasks.harness.finished_run import FinishedRun
from tasks.single_module.options import Config
from tasks.single_module.ranges import RANGES

PROFILES: dict[str, dict[str, Any]] = {
    "quick": {"seeds": 10, "steps": 3000, "eval_size": 1000, "eval_every": 300},
    "standard": {"seeds": 25},
}


def config(unit: str, operation: str, profile: str, learning_rate: float) -> Config:
    """The options of one run."""
    options: dict[str, Any] = {"op": operation, **PROFILES[profile]}
    return Config(cell=unit, learning_rate=learning_rate, **options)


def success(run: FinishedRun) -> np.ndarray:
    """The part of the nine ranges that a seed solves, ``(S,)``."""
    return np.mean([run.per_seed[f"solved/{name}"] for name in RANGES], axis=0)


def solved_at(run: FinishedRun) -> np.ndarray:
    """The step at which each seed solved each range, ``(9 S,)``; NaN where unsolved."""
    return np.concatenate([run.per_seed[f"solved_at_step/{name}"] for name in RANGES])


COMPARISON = UnitComparison(RIVALS, (0.001, 0.005, 0.02), config, success, solved_at)
