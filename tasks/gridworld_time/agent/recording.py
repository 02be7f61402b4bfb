"""Single greedy episodes, recorded action by action, to print or draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tasks.gridworld_time.agent.core import Range
from tasks.gridworld_time.agent.episodes import Episodes
from tasks.gridworld_time.agent.evaluation import reading_range
from tasks.gridworld_time.agent.model import Agents
from tasks.gridworld_time.options import Config
from tasks.gridworld_time.world.dynamics import DISTANCE, NEXT, START_AGENT, START_TARGET, STARTS, Rules


@dataclass(frozen=True)
class Episode:
    """One episode of one agent."""

    cells: tuple[int, ...]
    """The cell of the agent at t = 0, 1, ..."""
    actions: tuple[int, ...]
    target: int
    instruction: int

    @property
    def arrived(self) -> bool:
        """Whether the episode ended on the target."""
        return self.cells[-1] == self.target

    @property
    def best(self) -> int:
        """The best arrival time, max(T, distance)."""
        return int(Rules().best_arrival(DISTANCE[self.cells[0], self.target], self.instruction))

    @property
    def verdict(self) -> str:
        """The outcome in a few words."""
        time = len(self.actions)
        if not self.arrived:
            return f"not arrived at the time-out, t = {time}"
        late = time - self.best
        off = f"{abs(late)} too {'late' if late > 0 else 'early'}" if late else "exact"
        return f"arrived at t = {time}, T = {self.instruction}: {off}"


@torch.no_grad()
def record_episode(
    agents: Agents, seed: int, start: int, instruction: int, rules: Rules, reading_range: Range | None = None
) -> Episode:
    """Run a greedy episode of the ``seed``-th agent, counted from 0."""
    features = agents.features()
    ones = torch.ones(len(agents), 1, dtype=torch.long, device=features.device)
    episodes = Episodes(agents, features, start * ones, instruction * ones, reading_range)
    actions: list[int] = []
    cells, target = [int(START_AGENT[start])], int(START_TARGET[start])
    while cells[-1] != target and len(actions) < rules.time_out(instruction):
        action = episodes.policy()[0].argmax(dim=-1)
        episodes.step(action)
        actions.append(int(action[seed, 0]))
        cells.append(int(NEXT[cells[-1], actions[-1]]))
    return Episode(tuple(cells), tuple(actions), target, instruction)


def greedy_episodes(config: Config, agents: Agents, seed: int, starts: Sequence[int], T: int) -> list[Episode]:
    """Run greedy episodes of the ``seed``-th agent, counted from 0, with the reading range of the last evaluation."""
    all_starts = torch.arange(STARTS, device=agents.observations.device)
    with torch.no_grad():
        clipped_to = reading_range(config, agents, agents.features(), all_starts)
    return [record_episode(agents, seed, start, T, config.rules, clipped_to) for start in starts]
