"""Load a trained seed of a run, for a task's own commands such as ``watch`` and ``read_number``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from tasks.harness.cells import is_own, load_own
from tasks.harness.config import require
from tasks.harness.contract import State, Task
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, read_json
from tasks.harness.rundir import checkpoint
from tasks.harness.training.chunks import chunks_of


@dataclass(frozen=True)
class TrainedSeed:
    """One seed of a run at its newest checkpoint, with the seeds that were trained together with it (its chunk)."""

    config: Any
    """The options of the run, with ``first_seed`` and ``seeds`` of the chunk."""
    state: State
    """The ``Snapshot.state`` of the chunk, from the task's training."""
    index: int
    """The position of the seed in the chunk, counted from 0."""


def load_trained_seed(task: Task, directory: Path, seed: int | None = None) -> TrainedSeed:
    """Load a seed of a run, by default its first one.

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


def load_trained_model(task: Task, directory: Path, seed: int | None = None) -> tuple[TrainedSeed, nn.Module]:
    """Load a seed of a run, and the model of all seeds of its chunk: what ``Snapshot.model`` was in training.

    Raises:
        UserError: when the directory holds no run of this task, or no checkpoint, or another version's.
        OptionError: when the run has no such seed.
    """
    trained = load_trained_seed(task, directory, seed)
    started = next(task.train(replace(trained.config, device="cpu")))
    model, saved = started.state["model"], trained.state["model"]  # the first holds the model's own tensors
    if {name: tensor.shape for name, tensor in model.items()} != {name: saved[name].shape for name in saved}:
        raise UserError(f"{directory} was trained with another version: the networks have other parameters")
    for name, tensor in model.items():
        tensor.copy_(saved[name])
    return trained, started.model


def load_trained_chunks(task: Task, directory: Path) -> list[tuple[Any, State]]:
    """Load all seeds of a run: the options and the state of each chunk that was trained together, in order.

    Raises:
        UserError: when the directory holds no run of this task, or no checkpoint.
    """
    stored = read_json(directory / CONFIG)
    if stored.get("task") != task.name:
        raise UserError(f"--run must be a run of {task.name}, but {directory} is a run of {stored.get('task')}")
    newest = checkpoint.newest(directory)
    if newest is None:
        raise UserError(f"--run needs a checkpoint, but {directory} has no intact one")
    config = task.config.from_dict(stored["config"])
    if config.unit_name is not None and is_own(config.unit_name):
        load_own(config.unit_name)
    return chunks_of(config, newest.state)
