"""What the agent sees: a picture or one-hot planes for each pair of agent and target, made once and looked up."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from tasks.gridworld_time.dynamics import CELLS, SIZE

Observation = Literal["symbolic", "pixels"]

TILE = 8
SIDE = TILE * (SIZE + 2)
"""56: the paper's picture has this size, which a ring of wall tiles around the cells explains."""
WALL, AGENT, TARGET = (40, 40, 40), (128, 128, 128), (255, 0, 0)


@cache
def pictures() -> np.ndarray:
    """RGB pictures by agent and target, ``(25, 25, 56, 56, 3)`` uint8; an agent on the target covers its middle."""
    world = np.zeros((SIZE + 2, TILE, SIZE + 2, TILE, 3), np.uint8)
    world[[0, -1]] = world[:, :, [0, -1]] = WALL
    drawn = np.tile(world, (CELLS, CELLS, 1, 1, 1, 1, 1))
    for cell in range(CELLS):
        row, column = 1 + cell // SIZE, 1 + cell % SIZE
        drawn[cell, :, row, :, column] = AGENT
        drawn[:, cell, row, :, column] = TARGET
        drawn[cell, cell, row, 2:-2, column, 2:-2] = AGENT
    return _read_only(drawn.reshape(CELLS, CELLS, SIDE, SIDE, 3))


@cache
def planes() -> np.ndarray:
    """Two planes by agent and target, where the agent is and where the target is, ``(25, 25, 2, 5, 5)`` uint8."""
    one_hot = np.eye(CELLS, dtype=np.uint8).reshape(CELLS, SIZE, SIZE)
    drawn = np.zeros((CELLS, CELLS, 2, SIZE, SIZE), np.uint8)
    drawn[:, :, 0] = one_hot[:, None]
    drawn[:, :, 1] = one_hot
    return _read_only(drawn)


def observations(kind: Observation) -> np.ndarray:
    """All that can be seen, by agent and target, ``(25, 25, ...)`` uint8, read-only."""
    return pictures() if kind == "pixels" else planes()


def text(agent: int, target: int, time: int, instruction: int) -> str:
    """The world in letters: A the agent, T the target, # the wall, X the agent on the target."""
    cells = np.full((SIZE + 2, SIZE + 2), "#")
    cells[1:-1, 1:-1] = "."
    for cell, letter in ((target, "T"), (agent, "X" if agent == target else "A")):
        cells[1 + cell // SIZE, 1 + cell % SIZE] = letter
    return "\n".join([*("".join(row) for row in cells), f"t = {time}, T = {instruction}"])


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
