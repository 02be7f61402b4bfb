"""The options of MNIST counting and addition, and the default hyperparameters of each target and cell."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from nalu.init import Init
from nalu.schedules import cosine, ramp
from tasks.harness import config as harness
from tasks.harness.cells import check_cell, short_name
from tasks.harness.config import flag, require
from tasks.mnist_counting.data import PROBLEMS, Problem, Target
from tasks.mnist_counting.digits import Dataset, resolve
from tasks.mnist_counting.model import ARITHMETIC, BASELINES, CELLS, Cell

WARM_UP = 50
"""Steps over which the learning rates grow linearly to their full size."""

EncoderOutput = Literal["softmax", "linear"]
RecurrentStart = Literal["identity", "unit"]


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters for one target and cell; see README, Priors and Deviations."""

    batch_size: int
    hidden_size: int | None
    """None for cells whose state is the answer."""
    encoder: EncoderOutput
    encoder_rate: float
    cell_rate: float
    bias_weight: float
    recurrent_start: RecurrentStart
    input_start: float
    gate_bias: float
    penalty: float


def default_recipe(target: Target, cell: str) -> Recipe:
    """The default hyperparameters for a target and a cell."""
    arithmetic, is_sum = cell in ARITHMETIC, target in ("addition", "cumsum")
    return Recipe(
        batch_size=64 if target == "product" else 16,
        hidden_size=64 if cell in BASELINES else None,
        encoder="softmax" if target == "counting" and cell not in BASELINES else "linear",
        encoder_rate=0.006 if is_sum else 0.003,
        cell_rate=0.005 if arithmetic else 0.003,
        bias_weight=0.001 if is_sum else 1.0,
        recurrent_start="identity" if arithmetic else "unit",
        input_start=2.0 if arithmetic else 0.0,
        gate_bias=10.0 if cell == "nalu" else 0.0,
        penalty=0.01 if arithmetic else 0.0,
    )


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Count, add or multiply handwritten digits seen one by one; tested on series up to 100 times as long."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    target: Target = "counting"
    """counting (ten class counts) and addition: asked after 10 digits; cumsum and product: asked after every digit."""
    cell: Cell = "nac"
    """The recurrent cell. exact computes the true sum or product without parameters; no cell can do better."""
    dataset: Dataset = "auto"
    """mnist, or sample (10 000 of its digits, included); auto takes MNIST if it is present or can be downloaded."""
    data_dir: str = "data"
    """Folder of the MNIST files; they are downloaded to it."""
    seeds: int = 5
    """How many seeds are trained at once."""
    steps: int = 6000
    """Training steps of every seed."""
    eval_every: int = 1000
    """Steps between two evaluations; the last step is always evaluated."""
    eval_size: int = 50_000
    """Total number of digits in all test series of one length."""
    batch_size: int | None = None
    """Series in a batch; by default 16, for product 64."""
    hidden_size: int | None = None
    """Hidden size of lstm, gru and rnn cells, by default 64; the state of other cells is the answer itself."""
    encoder: EncoderOutput | None = None
    """Output of the convnet; by default softmax for counting with an arithmetic or exact cell, else linear."""
    encoder_rate: float | None = None
    """Adam's learning rate for the convnet, before warm-up and cosine decay; by default 0.003, for sums 0.006."""
    cell_rate: float | None = None
    """Adam's learning rate for the recurrent part, with the same schedule; by default 0.005 (arithmetic cells) or
    0.003."""
    clip: float = 1.0
    """Largest gradient norm, applied per seed to the convnet and to the recurrent part separately."""
    bias_weight: float | None = None
    """Initial weight of the squared mean error beside the error's variance; it grows to 1, the plain MSE. By default
    0.001 for sums, else 1."""
    recurrent_start: RecurrentStart | None = None
    """Initial state-to-state weights: the identity (default of arithmetic cells), or the unit's own initialisation."""
    input_start: float | None = None
    """Initial W_hat and M_hat of the input weights, as a multiple of the identity; by default 2. 0: the unit's own
    initialisation."""
    gate_bias: float | None = None
    """Initial bias of a NALU's gate; by default 10. 0: no bias, as in the paper."""
    penalty: float | None = None
    """Weight of the sparsity penalty on recurrent weights, growing from 30 % to 60 % of the steps; by default 0.01."""
    init: Init = "glorot_uniform"
    """Initialisation of NAC and NALU; see nalu.init."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell("--cell", self.cell, CELLS)
        self.require_positive("eval_size", "clip")
        require(
            self.data_dir.isprintable() and len(self.data_dir) <= 1000,
            f"--data-dir must be a path of at most 1000 printable characters, got {self.data_dir!r}",
        )
        for name in ("batch_size", "hidden_size", "encoder_rate", "cell_rate", "bias_weight"):
            if getattr(self, name) is not None:
                self.require_positive(name)
        for name in ("input_start", "gate_bias", "penalty"):
            value = getattr(self, name) or 0.0
            require(0 <= value < math.inf, f"{flag(name)} must be a number that is not negative, got {value}")
        if self.cell not in ARITHMETIC:
            for name, without in (("recurrent_start", "unit"), ("input_start", 0.0), ("penalty", 0.0)):
                value = getattr(self, name)
                require(
                    value in (None, without),
                    f"{flag(name)} {value} needs a cell among {', '.join(ARITHMETIC)}, got {self.cell}",
                )
        require(self.cell == "nalu" or not self.gate_bias, f"--gate-bias needs --cell nalu, got {self.cell}")
        require(self.cell in BASELINES or not self.hidden_size, f"--hidden-size is not for --cell {self.cell}")

    @cached_property
    def recipe(self) -> Recipe:
        """The hyperparameters: those given, else the defaults of the target and the cell."""
        return self.chosen(default_recipe(self.target, self.cell))

    def resolved(self) -> Config:
        """The same options, with default hyperparameters filled in and ``auto`` replaced by the data set it stands for.

        Raises:
            UserError: see :func:`tasks.mnist_counting.digits.resolve`.
        """
        dataset = resolve("auto", Path(self.data_dir)) if self.dataset == "auto" else self.dataset
        return replace(self.with_defaults(self.recipe), dataset=dataset)

    @property
    def problem(self) -> Problem:
        """The problem that the target poses."""
        return PROBLEMS[self.target]

    def rate_factor(self, step: int) -> float:
        """The factor of the learning rates at a step: linear warm-up, then cosine decay to 0."""
        return min((step + 1) / WARM_UP, 1.0) * cosine(step, self.steps)

    def penalty_at(self, step: int) -> float:
        """The weight of the sparsity penalty at a step."""
        return self.recipe.penalty * ramp(step, self.steps, 0.3, 0.6)

    def bias_weight_at(self, step: int) -> float:
        """The weight of the squared mean error at a step; it grows geometrically to 1."""
        return self.recipe.bias_weight ** (1 - step / self.steps)

    @property
    def unit_name(self) -> str:
        """The cell."""
        return self.cell

    def label(self) -> str:
        """A short name of the setting."""
        return f"{self.target}-{short_name(self.cell)}"


SMOKE = Config(dataset="sample", seeds=2, steps=30, eval_every=10, eval_size=1000, batch_size=8)
"""A setting that trains in seconds and exercises everything."""
