"""The file names of a run, atomic writing, and reading with one-line errors."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
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
FORMULAS = "formulas.txt"
"""What the networks of the first few seeds compute."""
METRICS_SHA256 = "metrics.sha256"
"""One line for each evaluated step: the step, the length of metrics.csv after it, and the SHA-256 of that much."""

CHECKSUM = "checksum"
"""The key of a JSON file's own checksum."""
PARTIAL = ".*.partial"
"""Files that a killed write may leave behind; see :func:`write_atomically`."""


def read_text(path: Path) -> str:
    """A text file in UTF-8, whatever the locale is, with or without a byte-order mark."""
    return path.read_text(encoding="utf-8-sig")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, whether :func:`write_json` wrote it or not.

    Raises:
        UserError: when the file is missing, does not contain a JSON object, or was changed after it was written.
    """
    try:
        value = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"no readable {path.name} in {path.parent}: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object")
    checksum = value.pop(CHECKSUM, None)
    if checksum is not None and checksum != _checksum(value):
        raise UserError(f"{path} was changed after it was written: its checksum does not match")
    return value


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Read a CSV of numbers: column name to values, ``(rows,)``.

    Raises:
        UserError: when the file is missing or is not such a table.
    """
    try:
        text = read_text(path)
        if not text.endswith("\n"):
            raise ValueError("its last line is incomplete")
        names, *rows = [line.split(",") for line in text.splitlines()]
        if any(name.startswith(("=", "+", "-", "@")) for name in names):
            raise ValueError("a column name must not begin with =, +, - or @, which spreadsheets take for formulas")
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
        is_text = "b" not in mode
        with partial.open(mode, newline="" if is_text else None, encoding="utf-8" if is_text else None) as file:
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
    """Write a JSON object atomically, with a checksum of its content."""
    write_text(path, json.dumps({**value, CHECKSUM: _checksum(value)}, indent=2, allow_nan=False) + "\n")


def _checksum(value: dict[str, Any]) -> str:
    """The checksum of the content; the order of keys and white space do not matter."""
    return sha256(json.dumps(value, sort_keys=True, default=str).encode())


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def checksums(directory: Path, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of the files that exist, by name."""
    return {name: sha256((directory / name).read_bytes()) for name in names if (directory / name).exists()}


def check_checksums(directory: Path, expected: Mapping[str, Any]) -> None:
    """Raise a UserError that names the first file whose content has changed."""
    for name, digest in checksums(directory, expected).items():
        if digest != expected[name]:
            raise UserError(f"{directory / name} was changed after it was written: its checksum does not match")
