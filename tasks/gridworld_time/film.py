"""Single episodes to look at: in letters, as a film strip, as an animation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from tasks.gridworld_time.dynamics import DISTANCE, NEXT, START_AGENT, START_TARGET, Rules
from tasks.gridworld_time.model import Agents, State
from tasks.gridworld_time.pictures import pictures
from tasks.gridworld_time.play import Episodes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENLARGED = 4
"""Of the animation: side of a pixel."""
MILLISECONDS = 250
COLUMNS = 10


@dataclass(frozen=True)
class Episode:
    """What one agent did."""

    cells: tuple[int, ...]
    """Where it was at t = 0, 1, ..."""
    actions: tuple[int, ...]
    target: int
    instruction: int

    @property
    def arrived(self) -> bool:
        """Whether it ended on the target."""
        return self.cells[-1] == self.target

    @property
    def best(self) -> int:
        """The best arrival time."""
        return int(Rules().best_arrival(DISTANCE[self.cells[0], self.target], self.instruction))

    @property
    def verdict(self) -> str:
        """How it ended, in a few words."""
        time = len(self.actions)
        if not self.arrived:
            return f"not arrived at the time-out, t = {time}"
        late = time - self.best
        off = f"{abs(late)} too {'late' if late > 0 else 'early'}" if late else "exact"
        return f"arrived at t = {time}, T = {self.instruction}: {off}"


@torch.no_grad()
def record_episode(
    agents: Agents, seed: int, start: int, instruction: int, rules: Rules, limits: State | None = None
) -> Episode:
    """A greedy episode of the ``seed``-th agent."""
    features = agents.features()
    lanes = torch.ones(len(agents), 1, dtype=torch.long, device=features.device)
    episodes = Episodes(agents, features, start * lanes, instruction * lanes, limits)
    actions: list[int] = []
    cells, target = [int(START_AGENT[start])], int(START_TARGET[start])
    while cells[-1] != target and len(actions) < rules.time_out(instruction):
        action = episodes.look()[0].argmax(dim=-1)
        episodes.act(action)
        actions.append(int(action[seed, 0]))
        cells.append(int(NEXT[cells[-1], actions[-1]]))
    return Episode(tuple(cells), tuple(actions), target, instruction)


def strip(episode: Episode) -> Figure:
    """All pictures of an episode, side by side."""
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
    """Write episodes, one after the other, as a GIF that repeats; under each picture a bar for t (grey) and for T."""
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
    """The picture above two bars as long as t and T are in parts of the longer one."""
    side = len(picture)
    bars = np.zeros((8, side, 3), np.uint8)
    bars[1:4, : round(side * time / longest)] = 200
    bars[5:7, : round(side * instruction / longest)] = (255, 0, 0)
    return np.concatenate([picture, bars])
