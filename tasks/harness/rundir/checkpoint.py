"""Checkpoints: written atomically; the previous one is kept as a spare."""

from __future__ import annotations

import pickle
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tasks.harness.contract import State
from tasks.harness.files import write_atomically

NAME = "checkpoint.pt"
SPARE = "checkpoint.previous.pt"


@dataclass
class Checkpoint:
    """The state of a run after a step."""

    step: int
    wall_seconds: float
    state: State


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
        with write_atomically(newest, "wb") as file:
            torch.save(vars(checkpoint), file)
            if newest.exists():
                newest.replace(self.directory / SPARE)
        self._last = time.monotonic()
        self._cost = self._last - started


def newest(directory: Path) -> Checkpoint | None:
    """The newest intact checkpoint of a run, on the CPU, or None. Damaged files are reported on stderr."""
    found, damaged = None, []
    for name in (NAME, SPARE):
        try:
            found = Checkpoint(**torch.load(directory / name, map_location="cpu", weights_only=True))
            break
        except FileNotFoundError:
            continue  # none saved yet, or the run was killed between the two renames of save()
        except (RuntimeError, EOFError, ValueError, TypeError, KeyError, pickle.UnpicklingError):
            damaged.append(name)
    if damaged:
        verb = "is" if len(damaged) == 1 else "are"
        instead = f"using the previous one (step {found.step})" if found else "there is no other"
        print(f"{directory}: {' and '.join(damaged)} {verb} damaged; {instead}", file=sys.stderr)
    return found
