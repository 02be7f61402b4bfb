"""A batch of training episodes, each run to its end, with what the gradient needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.gridworld_time.agent.episodes import Episodes, sample
from tasks.gridworld_time.agent.model import Agents
from tasks.gridworld_time.world.dynamics import STARTS, Rules


@dataclass(frozen=True)
class Rollout:
    """N episodes of every seed, stored in rows: first the first steps of all episodes, then the second steps, etc.

    One row is one step of one episode. Episodes that have ended are removed from the later steps. All seeds keep the
    same number of rows: that of the seed with the most running episodes. Shapes are ``(S, rows)`` unless stated.
    """

    logits: Tensor
    """The action logits, ``(S, rows, 5)``, with gradient."""
    value: Tensor
    """The value of the state, with gradient."""
    action: Tensor
    """The action taken."""
    reward: Tensor
    """The reward of the action."""
    active: Tensor
    """Whether the episode is still running at this step. The other fields are meaningless where it is not."""
    state_id: Tensor
    """The state before the action, 0..599."""
    time_step: Tensor
    """The position of the row in the flattened ``(time, N)`` array: step * N + episode."""
    shape: tuple[int, int]
    """``(time, N)``."""
    encoded: Sequence[Tensor]
    """For each time step, the encoded observations ``(S, fewer and fewer, width)``: leaves that keep their gradient."""

    def by_time(self, rows: Tensor) -> Tensor:
        """Arrange rows ``(S, rows)`` as ``(time, S, N)``, with 0 where there is no row."""
        flat = rows.new_zeros(len(rows), self.shape[0] * self.shape[1])
        return flat.scatter(1, self.time_step, rows).unflatten(1, self.shape).transpose(0, 1)

    def rows(self, by_time: Tensor) -> Tensor:
        """Arrange ``(time, S, N)`` as rows ``(S, rows)``."""
        return by_time.transpose(0, 1).flatten(1).gather(1, self.time_step)

    def features_gradient(self) -> Tensor:
        """The gradient with respect to the features of the 600 states, ``(S, 600, width)``, after backpropagation."""
        # Added up in one table. Autograd alone would allocate a whole table for every time step.
        seeds, device = len(self.state_id), self.state_id.device
        total = self.value.new_zeros(seeds * STARTS, self.encoded[0].shape[-1])
        row = self.state_id + STARTS * torch.arange(seeds, device=device).unsqueeze(1)
        by_step = row.split([encoded.shape[1] for encoded in self.encoded], dim=1)
        for rows, encoded in zip(by_step, self.encoded, strict=True):
            if encoded.grad is not None:
                total.index_add_(0, rows.flatten(), encoded.grad.flatten(0, 1))
        return total.unflatten(0, (seeds, STARTS))


def collect_rollout(
    agents: Agents,
    features: Tensor,
    start: Tensor,
    instruction: Tensor,
    uniform: Tensor,
    rules: Rules,
    *,
    drop_ended: bool = True,
) -> Rollout:
    """Run episodes to their ends with sampled actions.

    Args:
        agents: the agents, of S seeds.
        features: the encoded observation of every state, ``(S, 600, width)``. :meth:`Rollout.features_gradient` gives
            their gradient; autograd does not.
        start: the state in which each episode starts, ``(S, N)``.
        instruction: T of each episode, ``(S, N)``.
        uniform: uniform random numbers for sampling the actions, ``(S, largest number of steps, N)``.
        rules: the reward and the time limit.
        drop_ended: no longer compute most of the episodes that have ended, which is faster; without it, all shapes are
            known in advance and no tensor is read on the host. The results differ only by rounding.
    """
    episodes = Episodes(agents, features.detach(), start, instruction)
    episode = torch.arange(start.shape[1], device=start.device).expand_as(start)
    active = torch.ones_like(start, dtype=torch.bool)
    steps: list[tuple[Tensor, ...]] = []
    all_encoded: list[Tensor] = []
    for t, random in enumerate(uniform.unbind(dim=1)):
        state_id, encoded = episodes.state_id, episodes.encode().requires_grad_()
        logits, value = episodes.forward(encoded)
        action = sample(logits.detach(), random.gather(1, episode))
        arrived = episodes.step(action) & active
        T = instruction.gather(1, episode)
        reward = torch.where(arrived, rules.reward(float(t + 1), T), 0.0)
        steps.append((logits, value, action, reward, active, state_id, episode + t * start.shape[1]))
        all_encoded.append(encoded)
        active = active & ~arrived & (t + 1 < rules.time_out(T))
        if not drop_ended:
            continue
        width = int(active.sum(dim=1).amax())
        if not width:
            break
        active_first = active.byte().argsort(dim=1, descending=True, stable=True)[:, :width]
        episode, active = episode.gather(1, active_first), active.gather(1, active_first)
        episodes.select(active_first)
    fields = (torch.cat(part, dim=1) for part in zip(*steps, strict=True))
    logits, value, action, reward, active, state_id, time_step = fields
    shape = (len(steps), start.shape[1])
    return Rollout(logits, value, action, reward, active, state_id, time_step, shape, all_encoded)
