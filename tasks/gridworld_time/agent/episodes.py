"""Agents in the world: many episodes in lock-step, for all seeds at once."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.gridworld_time.agent.core import Range, RecurrentState
from tasks.gridworld_time.agent.model import Agents
from tasks.gridworld_time.world.dynamics import ACTIONS, NEXT, START_AGENT, START_TARGET, STARTS


class Episodes:
    """N episodes of every seed, all at the same time step.

    The state of a world is one of the 600 pairs of different cells (agent, target). ``state_id``, ``(S, N)``, numbers
    it like the starts.

    Args:
        agents: the agents, of S seeds.
        features: the encoded observation of every state, ``(S, 600, width)``.
        start: the state in which each episode starts, 0..599, ``(S, N)``.
        instruction: T of each episode, ``(S, N)``.
        reading_range: the agents read their accumulators clipped to this range; by default they do not clip.
    """

    def __init__(
        self, agents: Agents, features: Tensor, start: Tensor, instruction: Tensor, reading_range: Range | None = None
    ) -> None:
        self._agents = agents
        self._table = features.flatten(0, 1)
        self._row = STARTS * torch.arange(len(features), device=start.device).unsqueeze(1)
        self._transition = _transition_table(start.device)
        self.state_id = start
        self._instruction = instruction.to(features.dtype).unsqueeze(-1)
        self._last_action = torch.full_like(start, -1)
        self._first = torch.ones_like(self._instruction)
        self.recurrent_state: RecurrentState = agents.initial_state(
            features.new_zeros(*start.shape, features.shape[-1])
        )
        unbounded = features.new_full((len(features), 1, 1), torch.inf)
        self._reading_range = reading_range or (-unbounded, unbounded)

    def policy(self) -> tuple[Tensor, Tensor]:
        """Encode the observations and run the core: the action logits ``(S, N, 5)`` and the values ``(S, N)``."""
        return self.forward(self.encode())

    def encode(self) -> Tensor:
        """The encoded observations, ``(S, N, width)``."""
        return F.embedding(self.state_id + self._row, self._table)

    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Run the core on encoded observations and update the recurrent state; returns what :meth:`policy` returns."""
        logits, value, self.recurrent_state = self._agents.core(
            encoded, self._instruction, self._first, self._last_action, self.recurrent_state, self._reading_range
        )
        return logits, value

    def step(self, action: Tensor) -> Tensor:
        """Take the actions ``(S, N)``; returns which episodes arrive, ``(S, N)`` bool.

        An episode that arrives keeps its last ``state_id``, because no state has agent and target on the same cell.
        """
        next_id = self._transition[self.state_id, action]
        arrived = next_id < 0
        self.state_id = torch.where(arrived, self.state_id, next_id)
        self._last_action = action
        self._first = torch.zeros_like(self._first)
        return arrived

    def select(self, episodes: Tensor) -> None:
        """Continue with these of the N episodes only, given by their indices, ``(S, fewer)``."""
        for name in ("state_id", "_instruction", "_last_action", "_first"):
            setattr(self, name, _select(getattr(self, name), episodes))
        self.recurrent_state = tuple(_select(part, episodes) for part in self.recurrent_state)


def sample(logits: Tensor, uniform: Tensor) -> Tensor:
    """Draw actions ``(S, N)`` from the policy with uniform random numbers ``(S, N)``."""
    below = torch.softmax(logits, dim=-1).cumsum(dim=-1) < uniform.unsqueeze(-1)
    return below.sum(dim=-1).clamp(max=len(ACTIONS) - 1)  # rounding can leave the last sum below 1


def _select(x: Tensor, episodes: Tensor) -> Tensor:
    """Some of the N entries of each seed, ``(S, N) -> (S, fewer)`` or ``(S, N, n) -> (S, fewer, n)``."""
    if x.ndim == 2:
        return x.gather(1, episodes)
    seeds, count, _ = x.shape
    rows = episodes + count * torch.arange(seeds, device=x.device).unsqueeze(1)
    return x.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, rows.shape)  # much faster than gather


@cache
def _transition_table(device: torch.device) -> Tensor:
    """The next state for each state and action, ``(600, 5)``; -1 where the agent steps on the target."""
    state_id = torch.full((25, 25), -1)
    state_id[START_AGENT, START_TARGET] = torch.arange(STARTS)
    return state_id[NEXT[START_AGENT], START_TARGET[:, None]].to(device)
