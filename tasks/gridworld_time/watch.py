"""Watch a trained agent in the terminal: ``python -m tasks.gridworld_time.watch --run RUN --T 30``."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.live import Live

from tasks.gridworld_time.agent.model import Agents
from tasks.gridworld_time.agent.recording import Episode, greedy_episodes
from tasks.gridworld_time.film import animate
from tasks.gridworld_time.options import Config
from tasks.gridworld_time.world.arguments import LONGEST
from tasks.gridworld_time.world.dynamics import ACTIONS, STARTS
from tasks.gridworld_time.world.rendering import text
from tasks.harness.cli.main import guarded
from tasks.harness.cli.parsing import parse
from tasks.harness.config import require
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task
from tasks.harness.training.trained_seed import load_trained_seed


@dataclass(frozen=True)
class Watch:
    """Show greedy episodes of a trained agent."""

    run: Path
    """The directory of a run of gridworld-time."""
    T: int = 12
    """The instruction: when to arrive."""
    episodes: int = 3
    """Number of episodes; their starts are drawn at random, but are the same in every call."""
    seed: int | None = None
    """The seed of the agent; by default the run's first seed."""
    speed: float = 5.0
    """Time steps per second in a terminal; without a terminal, all actions are printed at once."""
    gif: Path | None = None
    """Write the episodes to this GIF file instead of showing them."""

    def __call__(self) -> None:
        """Show the episodes, or write them to a file.

        Raises:
            UserError: for an invalid option, or a run that cannot be loaded.
        """
        require(1 <= self.T <= LONGEST, f"--T must lie in 1..{LONGEST}, got {self.T}")
        require(self.episodes >= 1, f"--episodes must be at least 1, got {self.episodes}")
        require(0 < self.speed < float("inf"), f"--speed must be above 0, got {self.speed}")
        config, agents, index = load(self.run, self.seed)
        starts = np.random.default_rng(0).integers(STARTS, size=self.episodes).tolist()
        episodes = greedy_episodes(config, agents, index, starts, self.T)
        if self.gif is None:
            for episode in episodes:
                show(episode, self.speed)
        elif self.gif.suffix.lower() != ".gif":
            raise UserError(f"--gif must be a file that ends in .gif, got {self.gif}")
        else:
            animate(episodes, self.gif)
            print(f"animation: {self.gif}")


def load(directory: Path, seed: int | None) -> tuple[Config, Agents, int]:
    """Load the agents of a run from its newest checkpoint: their options, the agents, and the index of the wanted seed.

    Raises:
        UserError: when the directory holds no run of the grid world, or no checkpoint.
        OptionError: when the run has no such seed.
    """
    trained = load_trained_seed(load_task("gridworld_time"), directory, seed)
    config = trained.config
    agents = Agents(config.design, config.seed_range)
    agents.load_state_dict(trained.state["model"])
    agents.eval()
    return config, agents, trained.index


def show(episode: Episode, speed: float) -> None:
    """Animate the episode in the terminal; without a terminal, print the first picture and all actions."""
    console = Console()
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            for step, cell in enumerate(episode.cells):
                live.update(text(cell, episode.target, step, episode.instruction), refresh=True)
                time.sleep(1 / speed)
    else:
        print(text(episode.cells[0], episode.target, 0, episode.instruction))
        print(" ".join(ACTIONS[action] for action in episode.actions))
    print(episode.verdict, end="\n\n")


if __name__ == "__main__":
    program = "python -m tasks.gridworld_time.watch"
    guarded(lambda: parse(Watch, sys.argv[1:], program, "Watch a trained agent in the grid world.")())
