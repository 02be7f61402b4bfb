"""What a task is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import Tensor, nn

from tasks.harness.config import Config
from tasks.harness.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tasks.harness.finished_run import FinishedRun
    from tasks.harness.record import Record


State = dict[str, Any]
"""What training needs to go on from a step: nested dicts of tensors and numbers, savable with weights_only."""


@dataclass(frozen=True)
class Snapshot:
    """A training run at one evaluated step.

    ``model`` and ``state`` are live: they hold until the training generator is advanced.
    """

    step: int
    metrics: dict[str, Tensor]
    """One value a seed, ``(S,)``, by the names of the metric vocabulary. NaN where a metric does not apply."""
    model: nn.Module
    state: State
    histograms: dict[str, Tensor] = field(default_factory=dict)
    """Distributions to show beside the weights (gates, say), by tag; any shape."""
    figures: dict[str, Callable[[], Figure]] = field(default_factory=dict)
    """Pictures for TensorBoard, by tag; drawn at a few of the evaluated steps only."""
    files: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    """What writes further files into the run directory, by their names; called at the last step only."""


@dataclass(frozen=True)
class Score:
    """The results of a run, one entry a seed, made from its record alone.

    In ``values`` a diverged seed has inf, and NaN says that the value does not exist (the step at which an unsolved
    seed was solved). In ``outcomes`` a diverged seed has False.
    """

    values: dict[str, np.ndarray]
    outcomes: dict[str, np.ndarray]


class Train(Protocol):
    """Training as a generator: yields a Snapshot before the first step and after every evaluated one.

    With ``state`` (of an earlier Snapshot) it goes on from there and yields only later ones. It neither writes nor
    prints anything.
    """

    def __call__(self, config: Any, state: State | None = None) -> Iterator[Snapshot]: ...


@dataclass(frozen=True)
class Task:
    """A task of the suite; the package ``tasks.<name>`` defines one as ``TASK``."""

    name: str
    title: str
    source: str
    """What it reproduces: paper and section."""
    config: type[Config]
    train: Train
    score: Callable[[Any, Record], Score]
    smoke: Config
    """A setting that trains in seconds and exercises everything."""
    sweep: Mapping[str, Sequence[Config]]
    """The settings of the task's tables, by profile: quick, standard, full."""
    tables: Callable[[Sequence[FinishedRun]], list[Table]]
    """The result tables, beside the published figures."""
    figures: Callable[[Sequence[FinishedRun]], dict[str, Figure]] = field(default=lambda runs: {})
    """The figures, by file name."""
    files: Sequence[str] = ()
    """Names of the files that a run leaves besides: the keys of ``Snapshot.files``."""
    seed_chunk: int | None = None
    """How many seeds train fastest together on a CPU; None for all of them. Their batches then fit into its cache."""

    @property
    def command(self) -> str:
        """The name on the command line."""
        return self.name.replace("_", "-")
