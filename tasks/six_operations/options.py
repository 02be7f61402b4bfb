"""The options of six operations. All operations use the same settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nalu.schedules import cosine
from tasks.arithmetic.optimization import Split
from tasks.arithmetic.options import SubsetSumsConfig
from tasks.harness.config import flag, require
from tasks.six_operations.three_networks import Exponents


@dataclass(frozen=True, kw_only=True)
class Config(SubsetSumsConfig):
    """Learn any of six operations on the sums of two subsets of the inputs, by a choice among three structures."""

    networks: Literal["one", "three"] = "one"
    """one: structures share a first layer, a learned gate chooses; three: trained separately, validation chooses."""
    exponents: Exponents = "given"
    """given: exponents start at 1 and keep their difference; learned: they start at 0.3, nothing is fixed."""
    steps: int = 3000
    """Training steps per seed."""
    learning_rate: float = 0.02
    """Peak learning rate of Adam, after warm-up and before cosine decay."""
    warm_up: float = 1 / 30
    """Fraction of the run used for learning-rate warm-up."""
    beta1: float = 0.9
    """Adam's beta1."""
    beta2: float = 0.99
    """Adam's beta2."""
    mean_split: Split = "units"
    """Optimise means and deviations of weights separately, over each layer's inputs, or inputs and units."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("learning_rate")
        require(0 <= self.warm_up <= 1, f"--warm-up must lie in [0, 1], got {self.warm_up}")
        require(self.batch_size >= 2, f"--batch-size must be at least 2, got {self.batch_size}")
        for name in ("beta1", "beta2"):
            require(0 <= getattr(self, name) < 1, f"{flag(name)} must lie in [0, 1), got {getattr(self, name)}")

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.learning_rate * cosine(step, self.steps, self.warm_up)

    def label(self) -> str:
        """A short name of the configuration."""
        return f"{self.op}-{self.networks}"


SMOKE = Config(networks="three", seeds=3, steps=40, eval_every=20, eval_size=200)
"""A configuration that trains in seconds and exercises all parts of the task."""
