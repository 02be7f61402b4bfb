"""What one seed of a run has learned, for a task's own commands: ``watch``, ``read_number`` and the like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.harness.config import require
from tasks.harness.contract import State, Task
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, read_json
from tasks.harness.rundir import checkpoint
from tasks.harness.training.chunks import chunks_of


@dataclass(frozen=True)
class TrainedSeed:
    """One seed of a run at its newest checkpoint, among the seeds that were trained together with it."""

    config: Any
    """The options of these seeds: those of the run, with their own ``first_seed`` and ``seeds``."""
    state: State
    """What the task's training yielded as ``Snapshot.state`` for these seeds."""
    index: int
    """Which of these seeds it is, counted from 0."""


def load_trained_seed(task: Task, directory: Path, seed: int | None = None) -> TrainedSeed:
    """A seed of a run, by default its first one.

    Raises:
        UserError: when the directory holds no run of this task, or no checkpoint.
        OptionError: when the run has no such seed.
    """
    chunks = load_trained_chunks(task, directory)
    first, last = chunks[0][0].seed_range[0], chunks[-1][0].seed_range[-1]
    seed = first if seed is None else seed
    require(first <= seed <= last, f"--seed must lie in {first}..{last}, got {seed}")
    config, state = next(chunk for chunk in chunks if seed in chunk[0].seed_range)
    return TrainedSeed(config, state, config.seed_range.index(seed))


def load_trained_chunks(task: Task, directory: Path) -> list[tuple[Any, State]]:
    """All seeds of a run, by chunks that were trained together: their options and their state, in order.

    Raises:
        UserError: when the directory holds no run of this task, or no checkpoint.
    """
    stored = read_json(directory / CONFIG)
    if stored.get("task") != task.name:
        raise UserError(f"--run must be a run of {task.name}, and {directory} is of {stored.get('task')}")
    newest = checkpoint.newest(directory)
    if newest is None:
        raise UserError(f"--run needs a checkpoint, and {directory} holds no whole one")
    return chunks_of(task.config.from_dict(stored["config"]), newest.state)
