"""Checkpoints: written atomically; the previous one is kept as a spare."""

from __future__ import annotations

import io
import pickle
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tasks.harness.contract import State
from tasks.harness.files import sha256, write_atomically

NAME = "checkpoint.pt"
SPARE = "checkpoint.previous.pt"


@dataclass
class Checkpoint:
    """The state of a run after a step."""

    step: int
    wall_seconds: float
    state: State
    options: dict[str, Any]
    """The options of the run, as in config.json."""


@dataclass
class Checkpointer:
    """Saves checkpoints, at intervals that keep the time spent on saving below two percent."""

    directory: Path
    share: float = 0.02
    minimum_interval: float = 2.0
    _last: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def due(self) -> bool:
        """Whether enough time has passed since the last checkpoint."""
        return time.monotonic() - self._last >= max(self.minimum_interval, self._cost / self.share)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint to disk and make it the newest."""
        started = time.monotonic()
        newest = self.directory / NAME
        written = _to_bytes(checkpoint)  # torch's own writing raises errors of no type when a disk is full
        with write_atomically(newest, "wb") as file:
            file.write(written)
            if newest.exists():
                newest.replace(self.directory / SPARE)
        self._last = time.monotonic()
        self._cost = self._last - started


def _to_bytes(checkpoint: Checkpoint) -> bytes:
    """The checkpoint, and the checksum by which damage is noticed that still reads as a checkpoint."""
    saved = io.BytesIO()
    torch.save(vars(checkpoint), saved)
    payload = saved.getvalue()
    outer = io.BytesIO()
    torch.save({"sha256": sha256(payload), "payload": torch.frombuffer(bytearray(payload), dtype=torch.uint8)}, outer)
    return outer.getvalue()


def _from_bytes(written: bytes) -> Checkpoint:
    """Raises a ValueError for a wrong checksum, and whatever torch raises for what it cannot read."""
    outer = torch.load(io.BytesIO(written), weights_only=True)  # noqa: TID251
    payload = outer["payload"].numpy().tobytes()
    if sha256(payload) != outer["sha256"]:
        raise ValueError("the checksum does not match")
    return Checkpoint(**torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True))  # noqa: TID251


def report_damage(directory: Path) -> None:
    """Name on stderr the checkpoints of a complete run that cannot be read; its results do not need them."""
    for name in (NAME, SPARE):
        if (directory / name).exists() and isinstance(_read(directory / name), str):
            print(f"{directory}: {name} is damaged; the results are complete and do not need it", file=sys.stderr)


def _read(path: Path) -> Checkpoint | str:
    """A checkpoint, or why it cannot be read."""
    try:
        return _from_bytes(path.read_bytes())
    except (RuntimeError, EOFError, ValueError, TypeError, KeyError, AttributeError, pickle.UnpicklingError) as error:
        return str(error) or type(error).__name__


def newest(directory: Path) -> Checkpoint | None:
    """The newest intact checkpoint of a run, on the CPU, or None. Damaged files are reported on stderr."""
    found, damaged = None, []
    for name in (NAME, SPARE):
        if not (directory / name).exists():
            continue  # none saved yet, or the run was killed between the two renames of save()
        read = _read(directory / name)
        if isinstance(read, Checkpoint):
            found = read
            break
        damaged.append(name)
    if damaged:
        verb = "is" if len(damaged) == 1 else "are"
        instead = f"using the previous one (step {found.step})" if found else "there is no other"
        print(f"{directory}: {' and '.join(damaged)} {verb} damaged; {instead}", file=sys.stderr)
    return found
