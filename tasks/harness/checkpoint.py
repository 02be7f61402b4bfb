"""Checkpoints: written whole or not at all, with the one before kept as a spare."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tasks.harness.contract import State

NAME = "checkpoint.pt"
SPARE = "checkpoint.previous.pt"


@dataclass
class Checkpoint:
    """Where a run stands."""

    step: int
    wall_seconds: float
    state: State


@dataclass
class Checkpointer:
    """Saves at intervals that keep the time spent on saving below two percent."""

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
        partial = self.directory / f".{NAME}.partial"
        with partial.open("wb") as file:
            torch.save(vars(checkpoint), file)
            file.flush()
            os.fsync(file.fileno())
        newest = self.directory / NAME
        if newest.exists():
            newest.replace(self.directory / SPARE)
        partial.replace(newest)
        self._last = time.monotonic()
        self._cost = self._last - started


def newest(directory: Path) -> Checkpoint | None:
    """The newest whole checkpoint of a run, on the CPU; None when there is none."""
    for name in (NAME, SPARE):
        try:
            content = torch.load(directory / name, map_location="cpu", weights_only=True)
            return Checkpoint(**content)
        except (OSError, RuntimeError, EOFError, ValueError, TypeError, KeyError, pickle.UnpicklingError):
            continue  # missing or damaged; the spare may do
    return None
