"""Episodes as pictures: film strips for TensorBoard, and an animation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.gridworld_time.agent.model import Agents
from tasks.gridworld_time.agent.recording import Episode, greedy_episodes
from tasks.gridworld_time.options import Config
from tasks.gridworld_time.world.rendering import pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_START, SHOWN_T = 100, (8, 19)
"""The start and the instructions of the shown episodes: one T from the training range, one beyond it."""
ENLARGED = 4
"""The animation enlarges each pixel to a square with this side."""
MILLISECONDS = 250
"""The duration of one time step in the animation."""
COLUMNS = 10
"""Pictures in one row of a film strip."""


def shown_episodes(config: Config, agents: Agents) -> list[Episode]:
    """One episode of the first agent for each T of ``SHOWN_T``."""
    return [greedy_episodes(config, agents, 0, [SHOWN_START], T)[0] for T in SHOWN_T]


def film_strips(config: Config, agents: Agents) -> dict[str, Callable[[], Figure]]:
    """For each shown episode, by tag, a function that draws its film strip."""

    def draw(number: int) -> Figure:
        return strip(shown_episodes(config, agents)[number])

    return {f"episode/T_{T}": partial(draw, k) for k, T in enumerate(SHOWN_T)}


def strip(episode: Episode) -> Figure:
    """Draw all pictures of an episode side by side."""
    from matplotlib.figure import Figure

    rows = -(-len(episode.cells) // COLUMNS)
    figure = Figure(figsize=(COLUMNS, 1.2 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for time, panel in enumerate(panels):
        panel.axis("off")
        if time < len(episode.cells):
            panel.imshow(pictures()[episode.cells[time], episode.target])
            panel.set_title(f"t = {time}", fontsize="x-small")
    figure.suptitle(f"first seed, greedy: {episode.verdict}", fontsize="small")
    return figure


def animate(episodes: list[Episode], path: Path) -> None:
    """Write the episodes, one after the other, as a looping GIF; bars below the picture show t (grey) and T (red)."""
    from PIL import Image

    frames = []
    for episode in episodes:
        longest = max(episode.instruction, len(episode.actions))
        for time, cell in enumerate(episode.cells):
            frames.append(_frame(pictures()[cell, episode.target], time, episode.instruction, longest))
        frames += [frames[-1]] * 4
    images = [Image.fromarray(frame.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)) for frame in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=MILLISECONDS, loop=0)


def _frame(picture: np.ndarray, time: int, instruction: int, longest: int) -> np.ndarray:
    """The picture above two bars, whose lengths are t and T as fractions of ``longest``."""
    side = len(picture)
    bars = np.zeros((8, side, 3), np.uint8)
    bars[1:4, : round(side * time / longest)] = 200
    bars[5:7, : round(side * instruction / longest)] = (255, 0, 0)
    return np.concatenate([picture, bars])
