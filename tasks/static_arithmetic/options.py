"""The options of static arithmetic, and the default optimiser settings of each kind of cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from nalu.init import Init
from nalu.schedules import cosine, ramp
from tasks.arithmetic.optimization import Split
from tasks.arithmetic.options import SubsetSumsConfig
from tasks.harness.cells import check_cell, short_name
from tasks.harness.config import flag, require
from tasks.static_arithmetic.model import CELLS, Cell


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters for one kind of cell; see README, Deviations."""

    learning_rate: float
    beta1: float
    beta2: float
    penalty: float = 0.0
    """Weight of the sparsity regulariser, as published."""
    mean_split: Split = "none"
    warm_up: float = 0.0


SATURATING = Recipe(learning_rate=0.1, beta1=0.9, beta2=0.95)
LINEAR = Recipe(learning_rate=0.1, beta1=0.99, beta2=0.99)
RECIPES = {
    "nac": SATURATING,
    "nac-mul": SATURATING,
    "nalu": SATURATING,
    "nau": Recipe(learning_rate=0.03, beta1=0.99, beta2=0.99, penalty=0.01),
    "nmu": Recipe(learning_rate=0.03, beta1=0.99, beta2=0.99, penalty=10.0),
}
"""Cell to recipe; the other cells use LINEAR."""


@dataclass(frozen=True, kw_only=True)
class Config(SubsetSumsConfig):
    """Learn y = f(a, b), where a and b are sums of two fixed subsets of the inputs, and extrapolate."""

    cell: Cell = "nalu"
    """Unit of both layers, or of the second (nac-mul after NAC, nmu after NAU), or activation of an MLP."""
    steps: int = 50_000
    """Training steps per seed (published: 5 000 000)."""
    hidden_size: int = 2
    """Width of the hidden layer."""
    optimizer: Literal["adam", "sgd", "momentum"] = "adam"
    """Adam, plain SGD, or SGD with momentum 0.9."""
    learning_rate: float | None = None
    """Peak learning rate; by default 0.03 for nau and nmu, else 0.1 (published: 0.001)."""
    warm_up: float | None = None
    """Fraction of the run used for learning-rate warm-up; by default 0."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning-rate schedule: cosine decay to 0 over the run, or constant (published)."""
    beta1: float | None = None
    """Adam's beta1; by default 0.9 for nac, nac-mul and nalu, else 0.99 (published: 0.9)."""
    beta2: float | None = None
    """Adam's beta2; by default 0.95 for nac, nac-mul and nalu, else 0.99 (published: 0.999)."""
    mean_split: Split | None = None
    """Optimise means and deviations of weights separately, over each layer's inputs, or inputs and units; by default
    none."""
    bias_weight: float = 1.0
    """Loss: variance of the error plus this weight times its squared mean; 1 is mean squared error (published)."""
    penalty: float | None = None
    """Weight of the sparsity regulariser; by default as published: 0.01 for nau, 10 for nmu."""
    penalty_start: float = 0.6
    """Fraction of the steps after which the regulariser grows (published: 0.2 for nmu, 0.001 for nau)."""
    penalty_end: float = 0.8
    """Fraction of the steps after which it has its full weight (published: 0.4 for nmu, 0.01 for nau)."""
    init: Init = "madsen_johansen"
    """Initialisation of NAC and NALU layers; see nalu.init."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell("--cell", self.cell, CELLS)
        self.require_positive("hidden_size")
        if self.learning_rate is not None:
            self.require_positive("learning_rate")
        require(0 <= (self.warm_up or 0) <= 1, f"--warm-up must lie in [0, 1], got {self.warm_up}")
        require(
            0 <= self.bias_weight < math.inf,
            f"--bias-weight must be a number that is not negative, got {self.bias_weight}",
        )
        require(
            self.bias_weight == 1 or self.batch_size >= 2,
            f"--batch-size must be at least 2 for a --bias-weight other than 1, got {self.batch_size}",
        )
        for name in ("beta1", "beta2"):
            require(0 <= (getattr(self, name) or 0) < 1, f"{flag(name)} must lie in [0, 1), got {getattr(self, name)}")
        penalty, start, end = self.penalty or 0.0, self.penalty_start, self.penalty_end
        require(0 <= penalty < math.inf, f"--penalty must be a number that is not negative, got {penalty}")
        require(
            0 <= start < end <= 1, f"--penalty-start must lie before --penalty-end, in [0, 1], got {start} and {end}"
        )

    @cached_property
    def recipe(self) -> Recipe:
        """The optimiser settings: those given, otherwise the defaults of the cell."""
        return self.chosen(RECIPES.get(self.cell, LINEAR))

    def resolved(self) -> Config:
        """The options, with the optimiser settings of the cell where none are given."""
        return self.with_defaults(self.recipe)

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        largest, warm_up = self.recipe.learning_rate, self.recipe.warm_up
        if self.schedule == "cosine":
            return largest * cosine(step, self.steps, warm_up)
        return largest * ramp(step, self.steps, 0.0, warm_up) if warm_up else largest

    def penalty_at(self, step: int) -> float:
        """The weight of the regulariser at a step: linear growth from start to end."""
        return self.recipe.penalty * ramp(step, self.steps, self.penalty_start, self.penalty_end)

    @property
    def unit_name(self) -> str:
        """The cell."""
        return self.cell

    def label(self) -> str:
        """A short name of the configuration."""
        split = {"none": "", "inputs": "-mean-split", "units": "-mean-split-units"}
        return f"{self.op}-{short_name(self.cell)}{split[self.recipe.mean_split]}"


SMOKE = Config(seeds=3, steps=40, eval_every=20, eval_size=200, learning_rate=0.01)
"""A configuration that trains in seconds and exercises all parts of the task."""
