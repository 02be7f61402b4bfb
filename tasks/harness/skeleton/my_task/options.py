"""The options of the task. The text below each option is its help on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from tasks.harness import config as harness
from tasks.harness.cells import check_cell, choice, short_name

from .model import CELLS


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn the product of two numbers, and extrapolate."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    cell: Annotated[str, choice(CELLS)] = "nmu"
    """The network: an MLP, or one arithmetic unit."""
    seeds: int = 10
    """Number of random seeds trained at once."""
    steps: int = 2000
    """Training steps per seed."""
    eval_every: int = 200
    """Steps between two evaluations; the last step is always evaluated."""
    batch_size: int = 64
    """Examples in each training batch of each seed."""
    eval_size: int = 1000
    """Examples in the validation set and in the extrapolation set."""
    learning_rate: float = 0.01
    """Learning rate of Adam."""
    threshold: float = 1e-4
    """A seed is solved if its mean squared extrapolation error is below this."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("batch_size", "eval_size", "learning_rate", "threshold")
        check_cell("--cell", self.cell, CELLS)

    @property
    def unit_name(self) -> str:
        """The cell."""
        return self.cell

    def label(self) -> str:
        """A short name of the configuration."""
        return short_name(self.cell)


SMOKE = Config(seeds=3, steps=40, eval_every=10, eval_size=50)
