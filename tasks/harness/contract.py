"""The parts of a task."""

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


MOST_PANELS = 48
"""Panels of a figure that has one for each run; more can neither be read nor laid out."""

State = dict[str, Any]
"""What training needs to continue from a step: nested dicts of tensors and numbers, loadable with weights_only."""


@dataclass(frozen=True)
class Snapshot:
    """A training run at one evaluated step.

    ``model`` and ``state`` are live: they are valid only until the training generator advances.
    """

    step: int
    metrics: dict[str, Tensor]
    """Metric name to one value per seed, ``(S,)``; NaN where a metric does not apply."""
    model: nn.Module
    state: State
    histograms: dict[str, Tensor] = field(default_factory=dict)
    """Tag to a distribution shown beside the weights (gates, for example); any shape."""
    figures: dict[str, Callable[[], Figure]] = field(default_factory=dict)
    """Tag to a function that draws a figure for TensorBoard; called at only a few of the evaluated steps."""
    files: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    """File name to a function that writes the file into the run directory; called only at the last step."""


@dataclass(frozen=True)
class Score:
    """The results of a run, one entry per seed, computed from its record alone.

    In ``values``, a diverged seed has inf, and NaN means that the value does not exist (for example the step at which
    a seed was solved, if it never was). In ``outcomes``, a diverged seed has False.
    """

    values: dict[str, np.ndarray]
    outcomes: dict[str, np.ndarray]


class Train(Protocol):
    """Training as a generator: yields a Snapshot before the first step and after every evaluated one.

    With ``state`` (from an earlier Snapshot), training continues from that step and yields only later snapshots. It
    neither writes nor prints anything.
    """

    def __call__(self, config: Any, state: State | None = None) -> Iterator[Snapshot]: ...


@dataclass(frozen=True)
class UnitComparison:
    """How `nalu compare` trains units on a task, all of them alike."""

    rivals: Mapping[str, Sequence[str]]
    """Problem of the task (an operation) to the published units that others are compared with."""
    learning_rates: Sequence[float]
    """Validation chooses one of them for each unit."""
    config: Callable[[str, str, str, float], Config]
    """Makes the options from the unit, the problem, the profile (quick or standard) and the learning rate."""
    success: Callable[[FinishedRun], np.ndarray]
    """The success of every seed, from 0 to 1, ``(S,)``."""
    solved_at: Callable[[FinishedRun], np.ndarray]
    """The steps at which seeds (or the parts of a seed) were first solved; NaN where unsolved."""


@dataclass(frozen=True)
class Task:
    """A task of the suite; the package ``tasks.<name>`` defines one as ``TASK``."""

    name: str
    title: str
    source: str
    """The paper and section that the task reproduces."""
    config: type[Config]
    train: Train
    score: Callable[[Any, Record], Score]
    smoke: Config
    """A configuration that trains in seconds and exercises all parts of the task."""
    sweep: Mapping[str, Sequence[Config]]
    """Profile (quick, standard, full) to the configurations of the task's tables."""
    tables: Callable[[Sequence[FinishedRun]], list[Table]]
    """Makes the result tables, with published figures beside ours."""
    figures: Callable[[Sequence[FinishedRun]], dict[str, Figure]] = field(default=lambda runs: {})
    """Makes the figures, by file name; a figure with a panel for each run shows the first ``MOST_PANELS``."""
    evaluate: Callable[[Any, Any], dict[str, Tensor]] | None = None
    """Gives the metrics of a model, as training evaluates it; for `nalu show`, which rounds models."""
    comparison: UnitComparison | None = None
    """How units are compared on this task; None: `nalu compare` leaves the task out."""
    files: Sequence[str] = ()
    """Names of the further files that a run of this task writes: the keys of ``Snapshot.files``."""
    threads: int = 1
    """The number of threads that train fastest; small networks are slower with two, much slower on a busy machine."""
    seed_chunk: int | None = None
    """The number of seeds that train fastest together on a CPU, because their batches fit its cache; None for all."""

    @property
    def command(self) -> str:
        """The name on the command line."""
        return self.name.replace("_", "-")
