"""The options of the single-module benchmark, and the published training settings of each unit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, get_args

from nalu.schedules import Schedule
from nalu.units.catalogue import UNITS, BinaryOperation, find_unit
from tasks.arithmetic import thresholds
from tasks.harness import config as harness
from tasks.harness.cells import check_cell, choice, short_name
from tasks.harness.config import require
from tasks.single_module.ranges import RANGES, Range, RangeName


@dataclass(frozen=True)
class Recipe:
    """The training settings of one unit."""

    learning_rate: float = 1e-3
    penalty: Schedule | None = None
    """The weight of the unit's regulariser over the run."""
    penalty_below: float = math.inf
    """A member is regularised only while its training loss is below this."""
    clip_gradient: float | None = None
    """Entries of the gradient are clipped to this absolute value."""
    restarts: bool = False
    """Whether stuck members restart, see :class:`nalu.Restart`."""

    def penalty_at(self, progress: float) -> float:
        """The weight of the regulariser at a fraction of the run, 0 to 1."""
        return 0.0 if self.penalty is None else self.penalty(progress)


Cell = Annotated[str, choice(tuple(UNITS))]

RECIPES: dict[str, Recipe] = {
    "inalu": Recipe(penalty_below=1.0, clip_gradient=0.1, restarts=True),
    "npu": Recipe(learning_rate=5e-3),
    "realnpu": Recipe(learning_rate=5e-3),
}
"""The units whose settings differ from the defaults of Recipe."""


def recipe(cell: str, op: BinaryOperation) -> Recipe:
    """The published settings of a unit on an operation; Recipe's defaults for a unit that has none."""
    return replace(RECIPES.get(cell, Recipe()), penalty=find_unit(cell).penalty.get(op))


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn y = a op b with one unit, on nine ranges at once, and extrapolate from each."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    op: BinaryOperation = "add"
    """The operation: a + b, a - b, a * b or a / b."""
    cell: Cell = "nac"
    """The unit."""
    steps: int = 50_000
    """Training steps per seed and range."""
    batch_size: int = 128
    """Examples in a batch."""
    input_size: int = 2
    """Number of inputs; only the first two matter (published: 2, 10 and 100)."""
    ranges: tuple[RangeName, ...] = get_args(RangeName)
    """Ranges of the training inputs; every range is trained with every seed."""
    eval_size: int = 10_000
    """Examples in each of the fixed evaluation sets, two per range."""
    learning_rate: float | None = None
    """Learning rate of Adam; by default as published: 0.005 for npu and realnpu, else 0.001."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell("--cell", self.cell, tuple(UNITS))
        self.require_positive("batch_size", "eval_size")
        require(
            2 <= self.input_size <= harness.LARGEST,
            f"--input-size must lie in 2..{harness.LARGEST}, got {self.input_size}",
        )
        require(len(self.ranges) > 0, "--ranges must name at least one range, got none")
        unknown = [name for name in self.ranges if name not in RANGES]
        require(not unknown, f"--ranges must be among {', '.join(RANGES)}, got {', '.join(map(str, unknown))}")
        require(len(set(self.ranges)) == len(self.ranges), f"--ranges must differ, got {' '.join(self.ranges)}")
        if self.learning_rate is not None:
            self.require_positive("learning_rate")

    @property
    def recipe(self) -> Recipe:
        """The published settings of the unit, with the learning rate replaced if one is given."""
        published = recipe(self.cell, self.op)
        return published if self.learning_rate is None else replace(published, learning_rate=self.learning_rate)

    def resolved(self) -> Config:
        """The options, with the learning rate of the unit if none is given."""
        # Not self.recipe, which imports a unit of the user's package: a record is read without it.
        published = RECIPES.get(self.cell, Recipe()).learning_rate
        return replace(self, learning_rate=published if self.learning_rate is None else self.learning_rate)

    def bounds(self) -> list[Range]:
        """The ranges that the option ``ranges`` names."""
        return [RANGES[name] for name in self.ranges]

    def threshold(self, name: RangeName, epsilon: float) -> float:
        """The extrapolation error of a range below which a seed is solved."""
        return thresholds.of_unit(self.op, RANGES[name].test, self.input_size, epsilon)

    @property
    def unit_name(self) -> str:
        """The cell."""
        return self.cell

    def label(self) -> str:
        """A short name of the configuration."""
        return f"{self.op}-{short_name(self.cell)}" + ("" if self.input_size == 2 else f"-{self.input_size}-inputs")


SMOKE = Config(
    op="add",
    cell="nac",
    seeds=3,
    steps=40,
    eval_every=20,
    eval_size=200,
    learning_rate=0.02,
    ranges=("U-2..2", "U1..2"),
)
