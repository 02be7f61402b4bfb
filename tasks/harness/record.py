"""The record of a run: metrics.csv as arrays, config.json and summary.json as dictionaries."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.harness.errors import UserError

CONFIG = "config.json"
METRICS = "metrics.csv"
SUMMARY = "summary.json"
SEED_SUMMARY = "summary.csv"


@dataclass(frozen=True)
class Record:
    """metrics.csv as arrays: one row per evaluated step, one column per seed."""

    steps: np.ndarray
    """Evaluated steps, ascending, ``(T,)``."""
    seeds: np.ndarray
    """``(S,)``."""
    metrics: dict[str, np.ndarray]
    """By metric, ``(T, S)``; NaN where a metric does not apply or has diverged."""

    def __getitem__(self, metric: str) -> np.ndarray:
        return self.metrics[metric]

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read metrics.csv; a tick that is not whole, as a killed run may leave at the end, is left out.

        Raises:
            UserError: when the file is missing or is no such record.
        """
        try:
            with path.open(newline="") as file:
                header, *rows = csv.reader(file)
        except (OSError, ValueError) as error:
            raise UserError(f"no readable metrics.csv at {path}: {error}") from None
        try:
            whole = [row for row in rows if len(row) == len(header)]
            values = np.array([[float(cell) if cell else np.nan for cell in row] for row in whole])
            values = values.reshape(len(whole), len(header))
            if header[:2] != ["step", "seed"]:
                raise ValueError("it must begin with the columns step, seed")
            seeds = _leading_seeds(values)
            ticks = len(values) // max(len(seeds), 1)
            table = values[: ticks * len(seeds)].reshape(ticks, len(seeds), len(header))
        except ValueError as error:
            raise UserError(f"{path} is no record of a run: {error}") from None
        metrics = {name: table[:, :, column] for column, name in enumerate(header) if column >= 2}
        return cls(table[:, 0, 0].astype(np.int64) if ticks else np.empty(0, np.int64), seeds, metrics)


def _leading_seeds(values: np.ndarray) -> np.ndarray:
    """The seeds of the first tick; every tick has the same ones in the same order."""
    if not len(values):
        return np.empty(0, np.int64)
    return values[values[:, 0] == values[0, 0], 1].astype(np.int64)


@dataclass(frozen=True)
class Run:
    """A run directory, read back."""

    directory: Path
    config: dict[str, Any]
    """The whole of config.json."""
    summary: dict[str, Any] | None
    """summary.json, None while the run is unfinished."""

    @classmethod
    def load(cls, directory: Path) -> Run:
        """Read a run directory.

        Raises:
            UserError: when it holds no run, or an unreadable one.
        """
        config = read_json(directory / CONFIG)
        summary = read_json(directory / SUMMARY) if (directory / SUMMARY).exists() else None
        return cls(directory, config, summary)

    def record(self) -> Record:
        """Its metrics.csv."""
        return Record.load(self.directory / METRICS)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        UserError: when the file is missing or holds no JSON object.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"no readable {path.name} in {path.parent}: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object")
    return value


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object as a whole or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
