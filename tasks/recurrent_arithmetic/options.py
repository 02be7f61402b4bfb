"""The options of recurrent arithmetic, and the default hyperparameters of each kind of cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from nalu.init import Init
from nalu.schedules import cosine, ramp
from nalu.units import UNITS
from nalu.units.base import ClippedUnit
from tasks.arithmetic import thresholds
from tasks.arithmetic.problem import Operation
from tasks.harness import config as harness
from tasks.harness.cells import check_cell, short_name
from tasks.harness.config import flag, require
from tasks.recurrent_arithmetic.data import HIGH, LOW, SUBSETS
from tasks.recurrent_arithmetic.model import BASELINES, CELLS, Cell


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters for one kind of cell; see README, Deviations."""

    hidden_size: int
    learning_rate: float
    beta2: float
    bias_weight: float


SATURATING = Recipe(hidden_size=2, learning_rate=0.1, beta2=0.95, bias_weight=0.001)
CLIPPED = Recipe(hidden_size=2, learning_rate=0.01, beta2=0.99, bias_weight=0.001)
BASELINE = Recipe(hidden_size=16, learning_rate=0.02, beta2=0.999, bias_weight=0.01)


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn y = f(a, b) from sequences of 10 steps, where a and b are sums over inputs and time; test to 1000 steps."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    op: Operation = "add"
    """The operation f: a + b, a - b, a * b, a / b, a^2 or the square root of a."""
    cell: Cell = "nac"
    """Recurrent cell, or output unit after a matching cell (nac-mul: after a NAC; nmu: after a NAU)."""
    steps: int = 20_000
    """Training steps per seed (published: 100 000)."""
    batch_size: int = 128
    """Sequences in a batch."""
    eval_size: int = 500
    """Sequences in each of the fixed evaluation sets."""
    hidden_size: int | None = None
    """Hidden size; by default 16 for lstm, gru, rnn-tanh and rnn-relu, else 2."""
    learning_rate: float | None = None
    """Peak learning rate; by default 0.02 for lstm, gru and rnn-*, 0.01 for nau and nmu, else 0.1 (published: 0.001,
    constant)."""
    warm_up: float = 0.1
    """Fraction of the run used for learning-rate warm-up."""
    beta2: float | None = None
    """Adam's beta2; by default 0.999 for lstm, gru and rnn-*, 0.99 for nau and nmu, else 0.95."""
    bias_weight: float | None = None
    """Loss: variance of the error plus this weight times its squared mean; 1 is mean squared error (published); by
    default 0.01 for lstm, gru and rnn-*, else 0.001."""
    clip: float = 1.0
    """Gradient clipping: largest gradient norm per seed."""
    penalty: float = 0.01
    """Weight of the sparsity regulariser of NAU and NMU; it grows between 60 % and 80 % of the steps."""
    init: Init = "glorot_uniform"
    """Initialisation of NAC and NALU layers; see nalu.init."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell("--cell", self.cell, CELLS)
        self.require_positive("batch_size", "eval_size", "clip")
        for name in ("hidden_size", "learning_rate"):
            if getattr(self, name) is not None:
                self.require_positive(name)
        require(self.batch_size >= 2, f"--batch-size must be at least 2, got {self.batch_size}")
        require(0 <= self.warm_up <= 1, f"--warm-up must lie in [0, 1], got {self.warm_up}")
        require(0 <= (self.beta2 or 0) < 1, f"--beta2 must lie in [0, 1), got {self.beta2}")
        for name in ("bias_weight", "penalty"):
            value = getattr(self, name) or 0.0
            require(0 <= value < math.inf, f"{flag(name)} must be a number that is not negative, got {value}")

    @cached_property
    def recipe(self) -> Recipe:
        """The settings given, otherwise the defaults of the cell."""
        return self.chosen(
            BASELINE if self.cell in BASELINES else CLIPPED if self.cell in ("nau", "nmu") else SATURATING
        )

    def resolved(self) -> Config:
        """The options, with the defaults of the cell where none are given."""
        return self.with_defaults(self.recipe)

    @property
    def is_clipped(self) -> bool:
        """Whether the cell is a unit of clipped weights, to which the sparsity regulariser belongs."""
        return self.cell in UNITS and isinstance(UNITS[self.cell].build(1, 1), ClippedUnit)

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.recipe.learning_rate * cosine(step, self.steps, self.warm_up)

    def penalty_at(self, step: int) -> float:
        """The weight of the sparsity regulariser at a step."""
        return self.penalty * ramp(step, self.steps, 0.6, 0.8)

    def threshold(self, length: int) -> float:
        """The error below which a seed is solved at a test length."""
        return thresholds.of_sequences(self.op, SUBSETS, length, (LOW, HIGH))

    @property
    def unit_name(self) -> str:
        """The cell."""
        return self.cell

    def label(self) -> str:
        """A short name of the configuration."""
        return f"{self.op}-{short_name(self.cell)}"


SMOKE = Config(seeds=3, steps=20, eval_every=10, eval_size=20)
