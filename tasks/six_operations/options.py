"""The options of six operations. The same ones serve all operations."""

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
    """one: the structures share a first layer, and a learned gate chooses; three: each is trained by itself, and
    validation chooses."""
    exponents: Exponents = "given"
    """given: they start at 1 and keep their difference; learned: they start at 0.3, and nothing is kept."""
    steps: int = 3000
    """Training steps of every seed."""
    learning_rate: float = 0.02
    """The largest of Adam's, after warm-up and before cosine decay."""
    warm_up: float = 1 / 30
    """Fraction of the run over which the learning rate grows."""
    beta1: float = 0.9
    """Adam's decay of the first moment."""
    beta2: float = 0.99
    """Adam's decay of the second moment."""
    mean_split: Split = "units"
    """Optimise means of weights apart from their deviations: over the inputs of each layer, or over its inputs and
    units."""

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
        """A short name of the setting."""
        return f"{self.op}-{self.networks}"


SMOKE = Config(networks="three", seeds=3, steps=40, eval_every=20, eval_size=200)
"""A setting that trains in seconds and exercises everything."""
