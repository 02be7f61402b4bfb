"""The grid world: 5 x 5 cells in which an agent steps on a target exactly at a given time. Pure functions and tables.

Trask et al. 2018, section 4.5. A cell is a number, 5 row + column; a start is one of the 600 ordered pairs of different
cells. Numbers or arrays of them (numpy, and torch where it says so) go in and come out.
"""

from __future__ import annotations

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
"""The cell in which an action ends, ``(25, 5)``; at a wall the agent stays."""

START_AGENT, START_TARGET = np.nonzero(~np.eye(CELLS, dtype=bool))
"""The two cells of every start, each ``(600,)``."""

DISTANCE = np.abs(_position[:, None] - _position).sum(axis=-1)
"""Steps from cell to cell, ``(25, 25)``; at most 8."""


@dataclass(frozen=True)
class Rules:
    """What an arrival is worth, and how long it may take."""

    maximum: float = 1.0
    """The reward m of arriving exactly at time T."""
    patience: int = 2
    """An episode ends at time L = patience * T, arrived or not."""

    def __post_init__(self) -> None:
        if not 0 < self.maximum < float("inf"):
            raise ValueError(f"maximum must be above 0, got {self.maximum}")
        if self.patience < 1:
            raise ValueError(f"patience must be at least 1, got {self.patience}")

    def reward(self, time: Any, instruction: Any) -> Any:
        """m (1 - |t - T| / T), but never below 0, for an arrival at time t (arrays of numpy or torch)."""
        return self.maximum * (1 - abs(time - instruction) / instruction).clip(0)

    def time_out(self, instruction: Any) -> Any:
        """The time L at which an episode ends (numbers, arrays of numpy or torch)."""
        return self.patience * instruction

    def best_arrival(self, distance: Any, instruction: Any) -> Any:
        """The arrival time of the largest reward, max(T, distance): who is early waits, who is far runs."""
        return np.maximum(distance, instruction)

    def best_reward(self, distance: Any, instruction: Any) -> Any:
        """The largest reward that can be had; 0 where the target cannot be reached before the time-out."""
        arrival = self.best_arrival(distance, instruction)
        return np.where(arrival <= self.time_out(instruction), self.reward(arrival, instruction), 0.0)


def draw_start(random: np.random.Generator, shortest: int, longest: int) -> tuple[int, int]:
    """A start in 0..599 and an instruction T in shortest..longest, both uniform."""
    return int(random.integers(STARTS)), int(random.integers(shortest, longest + 1))
