"""A batch of training episodes: played without gradient, and then gone over once more, all steps at once, with it.

To play needs one step after the other. To learn does not: what was seen and done is known then, so that only the
recurrence itself goes step by step, over the episodes that still go on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.gridworld_time.dynamics import STARTS, Rules
from tasks.gridworld_time.model import Agents
from tasks.gridworld_time.play import Episodes, sample


@dataclass(frozen=True)
class Rollout:
    """N episodes of every seed, those that last longest first; ``(time, S, N)`` unless said."""

    place: Tensor
    """Which of the 600 pictures is seen."""
    action: Tensor
    """What is done then."""
    reward: Tensor
    """What it earns."""
    going: Tensor
    """Whether the episode goes on until then; the rest means nothing where it does not."""
    instruction: Tensor
    """``(S, N)``."""
    widths: tuple[int, ...]
    """How many of the N episodes go on, by step; for the seed that has most."""

    def rows(self, x: Tensor) -> Tensor:
        """``(time, S, N, ...)`` as the rows ``(S, sum of the widths, ...)`` that a core takes."""
        return torch.cat([step[:, :width] for step, width in zip(x, self.widths, strict=True)], dim=1)

    def by_time(self, rows: Tensor) -> Tensor:
        """Rows ``(S, sum of the widths)`` as ``(time, S, N)``, with 0 where there are none."""
        result = rows.new_zeros(self.going.shape)
        for step, part, width in zip(result, rows.split(self.widths, dim=1), self.widths, strict=True):
            step[:, :width] = part
        return result


@torch.no_grad()
def play(
    agents: Agents, features: Tensor, start: Tensor, instruction: Tensor, uniform: Tensor, rules: Rules
) -> Rollout:
    """Play episodes to their ends.

    Args:
        start, instruction: ``(S, N)``.
        uniform: random numbers that the actions are drawn with, ``(S, most steps, N)``.
    """
    episodes = Episodes(agents, features, start, instruction)
    shape = (uniform.shape[1], *start.shape)
    place, action = start.new_zeros(2, *shape)
    arrived, going = start.new_zeros(2, *shape, dtype=torch.bool)
    lanes = torch.arange(start.shape[1], device=start.device).expand_as(start)
    goes_on = torch.ones_like(start, dtype=torch.bool)
    for t, drawn in enumerate(uniform.unbind(dim=1)):
        seen = episodes.place
        chosen = sample(episodes.look()[0], drawn.gather(1, lanes))
        there = episodes.act(chosen) & goes_on
        for kept, now in ((place, seen), (action, chosen), (arrived, there), (going, goes_on)):
            kept[t].scatter_(1, lanes, now)
        goes_on = goes_on & ~there & (t + 1 < rules.time_out(instruction.gather(1, lanes)))
        width = int(goes_on.sum(dim=1).amax())
        if not width:
            break
        front = goes_on.byte().argsort(dim=1, descending=True, stable=True)[:, :width]
        lanes, goes_on = lanes.gather(1, front), goes_on.gather(1, front)
        episodes.keep(front)
    time = torch.arange(1, 1 + len(place), device=start.device, dtype=features.dtype).view(-1, 1, 1)
    reward = torch.where(arrived, rules.reward(time, instruction), 0.0)
    return _longest_first(place, action, reward, going, instruction)


def _longest_first(place: Tensor, action: Tensor, reward: Tensor, going: Tensor, instruction: Tensor) -> Rollout:
    length = going.sum(dim=0)
    order = length.argsort(dim=1, descending=True, stable=True)
    widths = tuple(int(width) for width in going.sum(dim=2).amax(dim=1).tolist() if width)
    by_time = order.expand(len(widths), -1, -1)
    place, action, reward, going = (x[: len(widths)].gather(2, by_time) for x in (place, action, reward, going))
    return Rollout(place, action, reward, going, instruction.gather(1, order), widths)


def replay(agents: Agents, features: Tensor, rollout: Rollout) -> tuple[Tensor, Tensor]:
    """Logits ``(S, rows, 5)`` and values ``(S, rows)`` of a rollout, with gradient; see :meth:`Rollout.rows`."""
    seeds = len(features)
    row = STARTS * torch.arange(seeds, device=features.device).view(-1, 1)
    seen = F.embedding(rollout.rows(rollout.place) + row, features.flatten(0, 1))
    instruction = rollout.instruction.to(features.dtype).expand(rollout.place.shape)
    first = torch.zeros_like(instruction)
    first[0] = 1
    before = torch.cat([torch.full_like(rollout.action[:1], -1), rollout.action[:-1]])
    unlimited = features.new_full((seeds, 1, 1), torch.inf)
    logits, values, _ = agents.core(
        seen,
        rollout.rows(instruction).unsqueeze(-1),
        rollout.rows(first).unsqueeze(-1),
        rollout.rows(before),
        agents.initial_state(features.new_zeros(*rollout.instruction.shape, features.shape[-1])),
        (-unlimited, unlimited),
        rollout.widths,
    )
    return logits, values
