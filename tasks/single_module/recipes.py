"""How each unit is trained, as published (Mistry et al. 2022): Adam, and what the unit's own paper adds to it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from nalu.schedules import Schedule
from nalu.units.catalogue import UNITS, BinaryOperation, UnitName


@dataclass(frozen=True)
class Recipe:
    """The settings of one unit."""

    learning_rate: float = 1e-3
    penalty: Schedule | None = None
    """The weight of the unit's regulariser over the run."""
    penalty_below: float = math.inf
    """A member is regularised only while its training loss is below this."""
    clip_gradient: float | None = None
    """The largest absolute value of an entry of the gradient."""
    restarts: bool = False
    """Whether members that are stuck begin anew, see :class:`nalu.Restart`."""

    def penalty_at(self, progress: float) -> float:
        """The weight of the regulariser at a part of the run, 0 to 1."""
        return 0.0 if self.penalty is None else self.penalty(progress)


RECIPES: dict[UnitName, Recipe] = {
    "inalu": Recipe(penalty_below=1.0, clip_gradient=0.1, restarts=True),
    "npu": Recipe(learning_rate=5e-3),
    "realnpu": Recipe(learning_rate=5e-3),
}
"""What is not as for most units."""


def recipe(cell: UnitName, op: BinaryOperation) -> Recipe:
    """The published settings of a unit on an operation; Recipe's defaults for a unit that has none."""
    return replace(RECIPES.get(cell, Recipe()), penalty=UNITS[cell].penalty.get(op))
