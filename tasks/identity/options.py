"""The options of the identity task."""

from __future__ import annotations

from dataclasses import dataclass

from nalu.init import Init
from tasks.harness import config as harness
from tasks.harness.cells import check_cell, short_name
from tasks.identity.model import CELLS, Cell


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn f(x) = x from the integers -5 to 5, and extrapolate to -20 to 20."""

    cell: Cell = "tanh"
    """Activation of an MLP, or arithmetic unit of all layers."""
    seeds: int = 100
    """Number of random seeds trained at once."""
    eval_every: int = 2000
    """Steps between two evaluations; the last step is always evaluated."""
    width: int = 8
    """Units in each of the three hidden layers."""
    learning_rate: float = 0.01
    """Learning rate of Adam."""
    init: Init = "glorot_uniform"
    """Initialisation of NAC and NALU layers; see nalu.init."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell("--cell", self.cell, CELLS)
        self.require_positive("width", "learning_rate")

    @property
    def unit_name(self) -> str:
        """The cell."""
        return self.cell

    def label(self) -> str:
        """A short name of the configuration."""
        return short_name(self.cell)


SMOKE = Config(seeds=3, steps=60, eval_every=20)
