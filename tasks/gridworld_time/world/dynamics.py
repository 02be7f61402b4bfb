"""The rules of the grid world, as pure functions and lookup tables.

In 5 x 5 cells an agent must step on a target exactly at a given time (Trask et al. 2018, section 4.5). A cell is a
number, 5 row + column. A start is one of the 600 ordered pairs of different cells (agent, target). The functions take
and return numbers or numpy arrays; those that also take torch tensors say so.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

SIZE = 5
CELLS = SIZE * SIZE
STARTS = CELLS * (CELLS - 1)

ACTIONS = ("UP", "DOWN", "LEFT", "RIGHT", "PASS")
_MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)])

_position = np.stack(np.divmod(np.arange(CELLS), SIZE), axis=-1)
_moved = (_position[:, None] + _MOVES).clip(0, SIZE - 1)

NEXT = _moved[..., 0] * SIZE + _moved[..., 1]
"""The next cell for each cell and action, ``(25, 5)``; a move into the wall leaves the agent where it is."""

START_AGENT, START_TARGET = np.nonzero(~np.eye(CELLS, dtype=bool))
"""The cell of the agent and the cell of the target for each start, each ``(600,)``."""

DISTANCE = np.abs(_position[:, None] - _position).sum(axis=-1)
"""The number of steps between two cells, ``(25, 25)``; at most 8."""


def whole_number(name: str, value: Any) -> int:
    """A whole number of Python or numpy as an int.

    Raises:
        ValueError: for anything else, which would be cut to a whole number in silence.
    """
    if isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None


@dataclass(frozen=True)
class Rules:
    """The reward and the time limit.

    Raises:
        ValueError: when ``maximum`` is not positive and finite, or ``patience`` is below 1.
    """

    maximum: float = 1.0
    """The reward m for arriving exactly at time T."""
    patience: int = 2
    """An episode ends at time L = patience * T, whether or not the agent has arrived."""

    def __post_init__(self) -> None:
        if not 0 < self.maximum < float("inf"):
            raise ValueError(f"maximum must be above 0, got {self.maximum}")
        if whole_number("patience", self.patience) < 1:
            raise ValueError(f"patience must be at least 1, got {self.patience}")

    def reward(self, time: Any, instruction: Any) -> Any:
        """The reward of arriving at time t: m (1 - |t - T| / T), at least 0 (numpy arrays or torch tensors)."""
        return self.maximum * (1 - abs(time - instruction) / instruction).clip(0)

    def time_out(self, instruction: Any) -> Any:
        """The time L at which an episode ends (numbers, numpy arrays or torch tensors)."""
        return self.patience * instruction

    def best_arrival(self, distance: Any, instruction: Any) -> Any:
        """The arrival time with the largest reward, max(T, distance): wait if early, go straight if far."""
        return np.maximum(distance, instruction)

    def best_reward(self, distance: Any, instruction: Any) -> Any:
        """The largest possible reward; 0 where the target cannot be reached before the time-out."""
        arrival = self.best_arrival(distance, instruction)
        return np.where(arrival <= self.time_out(instruction), self.reward(arrival, instruction), 0.0)


def draw_start(random: np.random.Generator, shortest: int, longest: int) -> tuple[int, int]:
    """Draw a start from 0..599 and an instruction T from shortest..longest, both uniformly."""
    return int(random.integers(STARTS)), int(random.integers(shortest, longest + 1))
