"""The record of a run: metrics.csv as arrays, config.json and summary.json as dictionaries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

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

    def errors(self, metric: str) -> np.ndarray:
        """A metric of which less is better, ``(T, S)``, with inf where it is not finite: a diverged seed is worst."""
        return np.nan_to_num(self[metric], nan=np.inf, posinf=np.inf)

    def chosen(self) -> tuple[np.ndarray, np.ndarray]:
        """The evaluated step of every seed at which its validation error was lowest; indexes ``(T, S)`` metrics.

        The step before training takes no part in the choice.
        """
        first = 1 if len(self.steps) > 1 else 0
        ticks = first + self.errors("interpolation/error")[first:].argmin(axis=0)
        return ticks, np.arange(len(self.seeds))

    def percent_of_random(self, metric: str) -> np.ndarray:
        """The score of Trask et al. 2018: the chosen error in percent of the untrained network's, ``(S,)``.

        NaN where the error of the untrained network is not finite.
        """
        errors = self.errors(metric)
        untrained = np.where(np.isfinite(errors[0]), errors[0], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):  # it may be 0
            return 100 * errors[self.chosen()] / untrained

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read metrics.csv; a last tick that is not whole, as a killed run may leave, is left out.

        Raises:
            UserError: when the file is missing or is no such record.
        """
        try:
            header, *lines = path.read_text().splitlines(keepends=True)
            names = header.rstrip("\n").split(",")
            if names[:2] != ["step", "seed"]:
                raise ValueError("it must begin with the columns step, seed")
            rows = [[float(cell) for cell in line.split(",")] for line in lines if line.endswith("\n")]
            wrong = [number for number, row in enumerate(rows, start=2) if len(row) != len(names)]
            if wrong:
                raise ValueError(f"line {wrong[0]} must have {len(names)} values")
            values = np.array(rows).reshape(len(rows), len(names))
            seeds = values[values[:, 0] == values[:1, 0], 1] if len(values) else np.empty(0)
            ticks = len(values) // max(len(seeds), 1)
            table = values[: ticks * len(seeds)].reshape(ticks, len(seeds), len(names))
            if (table[:, :, 0] != table[:, :1, 0]).any() or (table[:, :, 1] != seeds).any():
                raise ValueError("every tick must have one row for each seed, in the same order")
        except OSError as error:
            raise UserError(f"no record {path}: {error.strerror}") from None
        except ValueError as error:
            raise UserError(f"no readable record in {path}: {error}") from None
        metrics = {name: table[:, :, column] for column, name in enumerate(names) if column >= 2}
        steps = table[:, 0, 0] if ticks else np.empty(0)
        return cls(steps.astype(np.int64), seeds.astype(np.int64), metrics)


@dataclass(frozen=True)
class Run:
    """A run directory, read back."""

    directory: Path
    config: dict[str, Any]
    """The whole of config.json."""
    summary: dict[str, Any] | None
    """summary.json, None while the run is unfinished."""
    per_seed: dict[str, np.ndarray] = field(default_factory=dict)
    """summary.csv: the results of every seed by name, ``(S,)``; outcomes are 0 and 1. Empty while it is unfinished."""

    @classmethod
    def load(cls, directory: Path) -> Run:
        """Read a run directory.

        Raises:
            UserError: when it holds no run, or an unreadable one.
        """
        config = read_json(directory / CONFIG)
        if not (directory / SUMMARY).exists():
            return cls(directory, config, None)
        return cls(directory, config, read_json(directory / SUMMARY), read_columns(directory / SEED_SUMMARY))

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
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"no readable {path.name} in {path.parent}: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object")
    return value


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """A CSV of numbers as arrays by column, ``(rows,)``.

    Raises:
        UserError: when the file is missing or is no such table.
    """
    try:
        text = path.read_text()
        if not text.endswith("\n"):
            raise ValueError("its last line is not whole")
        names, *rows = [line.split(",") for line in text.splitlines()]
        values = np.array([[float(cell) for cell in row] for row in rows]).reshape(len(rows), len(names))
    except (OSError, ValueError) as error:
        raise UserError(f"no readable {path.name} in {path.parent}: {error}") from None
    return dict(zip(names, values.T, strict=True))


def write_columns(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write arrays of one length as the columns of a CSV; what :func:`read_columns` reads is written the same again."""
    rows = (",".join(str(cell).removesuffix(".0") for cell in row) for row in zip(*columns.values(), strict=True))
    write_text(path, "\n".join([",".join(columns), *rows]) + "\n")


@contextmanager
def whole(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file to be written as a whole or not at all: it is at its place once the block has ended without error."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open(mode, newline=None if "b" in mode else "") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)  # on a full disk, its room is needed
        raise
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    with whole(path) as file:
        file.write(text)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object as a whole or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
