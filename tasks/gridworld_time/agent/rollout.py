"""A batch of training episodes, to learn from: played with gradient, each to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.gridworld_time.dynamics import STARTS, Rules
from tasks.gridworld_time.model import Agents
from tasks.gridworld_time.play import Episodes, sample


@dataclass(frozen=True)
class Rollout:
    """N episodes of every seed. A row is a step of one of them: first their first steps, then the second, and so on.

    Episodes that have ended leave, but as many rows go on as the seed with most needs. ``(S, rows)`` unless said.
    """

    logits: Tensor
    """``(S, rows, 5)``, with gradient."""
    value: Tensor
    """With gradient."""
    action: Tensor
    """What is done."""
    reward: Tensor
    """What it earns."""
    going: Tensor
    """Whether the episode goes on until then; the rest of the row means nothing where it does not."""
    place: Tensor
    """Which of the 600 pictures is seen."""
    moment: Tensor
    """When and in which episode: where the row lies in ``(time, N)``, flattened."""
    shape: tuple[int, int]
    """``(time, N)``."""
    seen: Sequence[Tensor]
    """The features of what is seen, by time, ``(S, fewer and fewer, width)``: leaves, which keep their gradients."""

    def by_time(self, rows: Tensor) -> Tensor:
        """Rows ``(S, rows)`` as ``(time, S, N)``, with 0 where there are none."""
        flat = rows.new_zeros(len(rows), self.shape[0] * self.shape[1])
        return flat.scatter(1, self.moment, rows).unflatten(1, self.shape).transpose(0, 1)

    def rows(self, by_time: Tensor) -> Tensor:
        """``(time, S, N)`` as rows ``(S, rows)``."""
        return by_time.transpose(0, 1).flatten(1).gather(1, self.moment)

    def features_gradient(self) -> Tensor:
        """What backpropagation has left for the features of the pictures, ``(S, 600, width)``."""
        # Summed up in one table. Left to autograd, each step of time would fill one of its own.
        seeds, device = len(self.place), self.place.device
        total = self.value.new_zeros(seeds * STARTS, self.seen[0].shape[-1])
        row = self.place + STARTS * torch.arange(seeds, device=device).unsqueeze(1)
        for rows, seen in zip(row.split([seen.shape[1] for seen in self.seen], dim=1), self.seen, strict=True):
            if seen.grad is not None:
                total.index_add_(0, rows.flatten(), seen.grad.flatten(0, 1))
        return total.unflatten(0, (seeds, STARTS))


def play(
    agents: Agents, features: Tensor, start: Tensor, instruction: Tensor, uniform: Tensor, rules: Rules
) -> Rollout:
    """Play episodes to their ends.

    Args:
        features: of all pictures, ``(S, 600, width)``; their gradient is :meth:`Rollout.features_gradient`.
        start, instruction: ``(S, N)``.
        uniform: random numbers that the actions are drawn with, ``(S, most steps, N)``.
    """
    episodes = Episodes(agents, features.detach(), start, instruction)
    lanes = torch.arange(start.shape[1], device=start.device).expand_as(start)
    going = torch.ones_like(start, dtype=torch.bool)
    steps: list[tuple[Tensor, ...]] = []
    every_seen: list[Tensor] = []
    for t, drawn in enumerate(uniform.unbind(dim=1)):
        place, seen = episodes.place, episodes.see().requires_grad_()
        logits, value = episodes.think(seen)
        action = sample(logits.detach(), drawn.gather(1, lanes))
        arrived = episodes.act(action) & going
        told = instruction.gather(1, lanes)
        reward = torch.where(arrived, rules.reward(float(t + 1), told), 0.0)
        steps.append((logits, value, action, reward, going, place, lanes + t * start.shape[1]))
        every_seen.append(seen)
        going = going & ~arrived & (t + 1 < rules.time_out(told))
        width = int(going.sum(dim=1).amax())
        if not width:
            break
        front = going.byte().argsort(dim=1, descending=True, stable=True)[:, :width]
        lanes, going = lanes.gather(1, front), going.gather(1, front)
        episodes.keep(front)
    logits, value, action, reward, going, place, moment = (torch.cat(part, dim=1) for part in zip(*steps, strict=True))
    shape = (len(steps), start.shape[1])
    return Rollout(logits, value, action, reward, going, place, moment, shape, every_seen)
