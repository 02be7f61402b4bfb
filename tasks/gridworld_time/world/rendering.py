"""Observations of the world: a picture or one-hot planes for each pair of cells (agent, target), drawn once."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from tasks.gridworld_time.world.dynamics import CELLS, SIZE

Observation = Literal["symbolic", "pixels"]

TILE = 8
SIDE = TILE * (SIZE + 2)
"""56 pixels, the size of the paper's pictures: seven tiles of 8 pixels, if a ring of wall surrounds the cells."""
WALL, AGENT, TARGET = (40, 40, 40), (128, 128, 128), (255, 0, 0)


@cache
def pictures() -> np.ndarray:
    """RGB pictures, indexed by the cells of agent and target, ``(25, 25, 56, 56, 3)`` uint8, read-only.

    An agent on the target covers the middle of the target.
    """
    world = np.zeros((SIZE + 2, TILE, SIZE + 2, TILE, 3), np.uint8)
    world[[0, -1]] = world[:, :, [0, -1]] = WALL
    result = np.tile(world, (CELLS, CELLS, 1, 1, 1, 1, 1))
    for cell in range(CELLS):
        row, column = 1 + cell // SIZE, 1 + cell % SIZE
        result[cell, :, row, :, column] = AGENT
        result[:, cell, row, :, column] = TARGET
        result[cell, cell, row, 2:-2, column, 2:-2] = AGENT
    return _read_only(result.reshape(CELLS, CELLS, SIDE, SIDE, 3))


@cache
def planes() -> np.ndarray:
    """One-hot planes, indexed by the cells of agent and target, ``(25, 25, 2, 5, 5)`` uint8, read-only.

    The first plane marks the agent, the second the target.
    """
    one_hot = np.eye(CELLS, dtype=np.uint8).reshape(CELLS, SIZE, SIZE)
    result = np.zeros((CELLS, CELLS, 2, SIZE, SIZE), np.uint8)
    result[:, :, 0] = one_hot[:, None]
    result[:, :, 1] = one_hot
    return _read_only(result)


def observations(kind: Observation) -> np.ndarray:
    """All observations of one kind, indexed by the cells of agent and target, ``(25, 25, ...)`` uint8, read-only."""
    return pictures() if kind == "pixels" else planes()


def text(agent: int, target: int, time: int, instruction: int) -> str:
    """The world as text: A is the agent, T the target, # the wall, X the agent on the target."""
    cells = np.full((SIZE + 2, SIZE + 2), "#")
    cells[1:-1, 1:-1] = "."
    for cell, letter in ((target, "T"), (agent, "X" if agent == target else "A")):
        cells[1 + cell // SIZE, 1 + cell % SIZE] = letter
    return "\n".join([*("".join(row) for row in cells), f"t = {time}, T = {instruction}"])


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
