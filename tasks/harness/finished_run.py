"""A finished run: the input of tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tasks.harness.errors import UserError
from tasks.harness.files import (
    CONFIG,
    FORMULAS,
    METRICS,
    SEED_SUMMARY,
    SUMMARY,
    check_checksums,
    read_columns,
    read_json,
    read_text,
)
from tasks.harness.learning_curves import learning_curves
from tasks.harness.record import Record

SUMMARY_KEYS = ("task", "config", "seeds", "steps", "wall_seconds", "model_steps_per_second", "metrics", "rates")
"""What summary.json has at least."""


@dataclass(frozen=True)
class FinishedRun:
    """A run directory that has results. Runs without a summary never reach tables and figures."""

    directory: Path
    description: dict[str, Any]
    """The content of config.json: task, options, versions, commit and machine."""
    summary: dict[str, Any]
    """The content of summary.json."""
    per_seed: dict[str, np.ndarray]
    """The columns of summary.csv: result name to one value per seed, ``(S,)``; outcomes are 0 or 1."""

    @classmethod
    def load(cls, directory: Path) -> FinishedRun:
        """Read a run directory.

        Raises:
            UserError: when the directory contains no run, or an unfinished, unreadable or changed one.
        """
        description, summary = read_json(directory / CONFIG), read_json(directory / SUMMARY)
        missing = [name for name in SUMMARY_KEYS if name not in summary]
        if missing:
            raise UserError(f"{directory / SUMMARY} lacks {', '.join(missing)}")
        check_checksums(directory, summary.get("sha256", {}))
        return cls(directory, description, summary, read_columns(directory / SEED_SUMMARY))

    @property
    def task(self) -> str:
        """The name of the task."""
        name: str = self.description["task"]
        return name

    @property
    def options(self) -> dict[str, Any]:
        """The options, as in config.json."""
        options: dict[str, Any] = self.description["config"]
        return options

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        seeds: int = self.summary["seeds"]
        return seeds

    @property
    def steps(self) -> int:
        """The number of steps that every seed was trained for."""
        steps: int = self.summary["steps"]
        return steps

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Per result: ``median``, ``p10``, ``p90``, ``mean`` over seeds; ``low``, ``high``: interval of the median."""
        metrics: dict[str, dict[str, Any]] = self.summary["metrics"]
        return metrics

    @property
    def rates(self) -> dict[str, dict[str, Any]]:
        """Per outcome: ``count``, ``of``, ``rate``, and the interval of the rate, ``low`` and ``high``."""
        rates: dict[str, dict[str, Any]] = self.summary["rates"]
        return rates

    @cached_property
    def curves(self) -> dict[str, np.ndarray]:
        """The learning curves; see :func:`tasks.harness.learning_curves.learning_curves`."""
        return learning_curves(self.directory)

    @property
    def ran_all_steps(self) -> bool:
        """Whether the run was trained for all of its steps."""
        return bool(self.steps == self.options["steps"])

    @cached_property
    def formulas(self) -> str:
        """What the networks of the first few seeds compute; empty if the run has no such file."""
        path = self.directory / FORMULAS
        return read_text(path) if path.exists() else ""

    def record(self) -> Record:
        """The record in metrics.csv. Committed evidence has none.

        Raises:
            UserError: when the record is missing or unreadable.
        """
        return Record.load(self.directory / METRICS)
