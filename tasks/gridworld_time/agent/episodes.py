"""Agents in the world: many episodes in lock-step, for all seeds at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.gridworld_time.dynamics import ACTIONS, NEXT, START_AGENT, START_TARGET, STARTS
from tasks.gridworld_time.model import Agents, State


class Episodes:
    """N episodes of every seed, which began together.

    Args:
        features: of the picture of every start, ``(S, 600, width)``.
        start, instruction: where each episode begins, 0..599, and its T; each ``(S, N)``.
        limits: the smallest and the largest number that the cores read of their accumulators, each ``(S, 1, units)``;
            by default any.
    """

    def __init__(
        self, agents: Agents, features: Tensor, start: Tensor, instruction: Tensor, limits: State | None = None
    ) -> None:
        self._agents = agents
        self._table = features.flatten(0, 1)
        self._row = STARTS * torch.arange(len(features), device=start.device).unsqueeze(1)
        self._next = _next_place().to(start.device)
        self.place = start
        self._instruction = instruction.to(features.dtype).unsqueeze(-1)
        self._action = torch.full_like(start, -1)
        self._first = torch.ones_like(self._instruction)
        self.state = agents.initial_state(features.new_zeros(*start.shape, features.shape[-1]))
        unbounded = features.new_full((len(features), 1, 1), torch.inf)
        self._limits = limits or (-unbounded, unbounded)

    def look(self) -> tuple[Tensor, Tensor]:
        """See, remember and think: the logits of the actions ``(S, N, 5)`` and the value ``(S, N)``."""
        return self.think(self.see())

    def see(self) -> Tensor:
        """The features of what is seen, ``(S, N, width)``."""
        return F.embedding(self.place + self._row, self._table)

    def think(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What follows from what was seen; see :meth:`look`."""
        logits, value, self.state = self._agents.core(
            features, self._instruction, self._first, self._action, self.state, self._limits
        )
        return logits, value

    def act(self, action: Tensor) -> Tensor:
        """Take the actions ``(S, N)``; returns which episodes step on their target. They stay where they were."""
        after = self._next[self.place, action]
        arrived = after < 0
        self.place = torch.where(arrived, self.place, after)
        self._action = action
        self._first = torch.zeros_like(self._first)
        return arrived

    def keep(self, lanes: Tensor) -> None:
        """Go on with some of the N episodes only, by their numbers, ``(S, fewer)``."""
        for name in ("place", "_instruction", "_action", "_first"):
            setattr(self, name, _taken(getattr(self, name), lanes))
        self.state = tuple(_taken(part, lanes) for part in self.state)


def sample(logits: Tensor, uniform: Tensor) -> Tensor:
    """Actions ``(S, N)`` drawn from the policy with uniform numbers ``(S, N)``."""
    below = torch.softmax(logits, dim=-1).cumsum(dim=-1) < uniform.unsqueeze(-1)
    return below.sum(dim=-1).clamp(max=len(ACTIONS) - 1)  # rounding may leave the last sum below 1


def _taken(x: Tensor, lanes: Tensor) -> Tensor:
    """Some of the N entries of each seed, ``(S, N) -> (S, fewer)`` or ``(S, N, n) -> (S, fewer, n)``."""
    if x.ndim == 2:
        return x.gather(1, lanes)
    seeds, episodes, _ = x.shape
    rows = lanes + episodes * torch.arange(seeds, device=x.device).unsqueeze(1)
    return x.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, rows.shape)  # much faster than to gather


def _next_place() -> Tensor:
    """The start whose picture is seen after an action, ``(600, 5)``; -1 on the target."""
    number = torch.full((25, 25), -1)
    number[START_AGENT, START_TARGET] = torch.arange(STARTS)
    return number[NEXT[START_AGENT], START_TARGET[:, None]]
