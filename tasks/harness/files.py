"""The file names of a run, atomic writing, and reading with one-line errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from tasks.harness.errors import UserError

CONFIG = "config.json"
METRICS = "metrics.csv"
SUMMARY = "summary.json"
SEED_SUMMARY = "summary.csv"
CURVES = "curves.csv"

PARTIAL = ".*.partial"
"""Files that a killed write may leave behind; see :func:`write_atomically`."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        UserError: when the file is missing or does not contain a JSON object.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"no readable {path.name} in {path.parent}: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object")
    return value


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Read a CSV of numbers: column name to values, ``(rows,)``.

    Raises:
        UserError: when the file is missing or is not such a table.
    """
    try:
        text = path.read_text()
        if not text.endswith("\n"):
            raise ValueError("its last line is incomplete")
        names, *rows = [line.split(",") for line in text.splitlines()]
        values = np.array([[float(cell) for cell in row] for row in rows]).reshape(len(rows), len(names))
    except (OSError, ValueError) as error:
        raise UserError(f"no readable {path.name} in {path.parent}: {error}") from None
    return dict(zip(names, values.T, strict=True))


def write_columns(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write arrays of equal length as columns of a CSV; what :func:`read_columns` read is written back unchanged."""
    rows = (",".join(str(cell).removesuffix(".0") for cell in row) for row in zip(*columns.values(), strict=True))
    write_text(path, "\n".join([",".join(columns), *rows]) + "\n")


@contextmanager
def write_atomically(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file for atomic writing: it appears under its name only after the block has ended without error."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open(mode, newline=None if "b" in mode else "") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)  # on a full disk, its space is needed
        raise
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with write_atomically(path) as file:
        file.write(text)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object atomically."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
