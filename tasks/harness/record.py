"""The record of a run: metrics.csv as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.harness.errors import UserError
from tasks.harness.files import METRICS_SHA256, read_text, sha256
from tasks.harness.metrics import INTERPOLATION_ERROR


@dataclass(frozen=True)
class Record:
    """metrics.csv as arrays: one row per evaluated step, one column per seed."""

    steps: np.ndarray
    """Evaluated steps, ascending, ``(T,)``."""
    seeds: np.ndarray
    """``(S,)``."""
    metrics: dict[str, np.ndarray]
    """Metric name to values, ``(T, S)``; NaN where a metric does not apply or has diverged."""

    def __getitem__(self, metric: str) -> np.ndarray:
        return self.metrics[metric]

    def errors(self, metric: str) -> np.ndarray:
        """An error metric, ``(T, S)``, with inf where it is not finite, so that a diverged seed ranks worst."""
        return np.nan_to_num(self[metric], nan=np.inf, posinf=np.inf)

    def chosen(self) -> tuple[np.ndarray, np.ndarray]:
        """The evaluated step with the lowest validation error of every seed, as an index into ``(T, S)`` metrics.

        The evaluation before training is not a candidate.
        """
        first = 1 if len(self.steps) > 1 else 0
        ticks = first + self.errors(INTERPOLATION_ERROR)[first:].argmin(axis=0)
        return ticks, np.arange(len(self.seeds))

    def percent_of_random(self, metric: str) -> np.ndarray:
        """The score of Trask et al. 2018: the error at the chosen step in percent of the untrained one, ``(S,)``.

        NaN where the error of the untrained network is not finite.
        """
        errors = self.errors(metric)
        untrained = np.where(np.isfinite(errors[0]), errors[0], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):  # the untrained error may be 0
            return 100 * errors[self.chosen()] / untrained

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read metrics.csv. An incomplete last evaluation, which a killed run may leave, is ignored.

        Raises:
            UserError: when the file is missing, is not a valid record, or was changed after it was written.
        """
        _check_unchanged(path)
        try:
            with path.open(encoding="utf-8-sig") as lines:  # line by line: as text, a long record is large
                names = next(lines, "").rstrip("\n").split(",")
                if names[:2] != ["step", "seed"]:
                    raise ValueError("it must begin with the columns step, seed")
                values = np.fromiter(_rows(lines, len(names)), dtype=(np.float64, len(names)))
            seeds = values[values[:, 0] == values[:1, 0], 1] if len(values) else np.empty(0)
            ticks = len(values) // max(len(seeds), 1)
            table = values[: ticks * len(seeds)].reshape(ticks, len(seeds), len(names))
            if (table[:, :, 0] != table[:, :1, 0]).any() or (table[:, :, 1] != seeds).any():
                raise ValueError("every evaluated step must have one row for each seed, in the same order")
        except OSError as error:
            raise UserError(f"cannot read the record {path}: {error.strerror}") from None
        except ValueError as error:
            raise UserError(f"no readable record in {path}: {error}") from None
        metrics = {name: table[:, :, column] for column, name in enumerate(names) if column >= 2}
        steps = table[:, 0, 0] if ticks else np.empty(0)
        return cls(steps.astype(np.int64), seeds.astype(np.int64), metrics)


def _rows(lines: Iterable[str], columns: int) -> Iterator[list[float]]:
    """The values of each complete line below the header."""
    for number, line in enumerate(lines, start=2):
        if not line.endswith("\n"):
            return
        row = [float(cell) for cell in line.split(",")]
        if len(row) != columns:
            raise ValueError(f"line {number} must have {columns} values")
        yield row


def _check_unchanged(path: Path) -> None:
    """Raise a UserError when what was recorded up to some evaluated step is not what it was."""
    known = path.with_name(METRICS_SHA256)
    if not (path.exists() and known.exists()):
        return  # evidence, or a record of an older version
    content = path.read_bytes()
    ticks = [line.split() for line in read_text(known).splitlines()]
    for length, digest in ((int(tick[1]), tick[2]) for tick in reversed(ticks) if len(tick) == 3 and tick[1].isdigit()):
        if len(digest) == 64 and length <= len(content):  # a killed run may have written more, and a part of a line
            if sha256(content[:length]) != digest:
                raise UserError(f"{path} was changed after it was written: its checksum does not match")
            return
