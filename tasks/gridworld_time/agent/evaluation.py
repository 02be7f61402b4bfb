"""How well agents do: the same starts for every T and every agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.gridworld_time.dynamics import DISTANCE, START_AGENT, START_TARGET, Rules
from tasks.gridworld_time.model import Agents, State
from tasks.gridworld_time.play import Episodes, sample
from tasks.harness.streams import UniformStream

GRACE = 20
"""Agents are watched until 2T + 20, so that late arrivals are seen, though they earn nothing."""
TOGETHER = 4
"""So many T are played at once: as many as fit into the caches."""


@dataclass(frozen=True)
class Outcome:
    """By seed and T, each ``(S, len(times))``; means over starts."""

    reward: Tensor
    """Reward in parts of the optimal one."""
    exact: Tensor
    """Part of the episodes with arrival at max(T, distance)."""
    arrived: Tensor
    """Part of the episodes with arrival by 2T + 20."""
    time: Tensor
    """Mean arrival time of those; NaN when there are none."""


def measure(arrival: Tensor, starts: Tensor, times: Sequence[int], rules: Rules) -> Outcome:
    """From arrival times ``(S, len(times), starts)``, 0 for never."""
    distance = torch.from_numpy(DISTANCE[START_AGENT, START_TARGET])[starts.cpu()]
    instruction = torch.tensor(times).unsqueeze(1)
    best = torch.from_numpy(rules.best_reward(distance.numpy(), instruction.numpy())).to(arrival.device)
    optimal = torch.from_numpy(rules.best_arrival(distance.numpy(), instruction.numpy())).to(arrival.device)
    instruction = instruction.to(arrival.device)
    there = arrival > 0
    rewarded = there & (arrival <= rules.time_out(instruction))
    reward = torch.where(rewarded, rules.reward(arrival.double(), instruction), 0.0)
    return Outcome(
        reward=reward.mean(dim=-1) / best.mean(dim=-1),
        exact=(arrival == optimal).double().mean(dim=-1),
        arrived=there.double().mean(dim=-1),
        time=arrival.sum(dim=-1) / there.sum(dim=-1),
    )


def arrivals(
    agents: Agents,
    features: Tensor,
    starts: Tensor,
    times: Sequence[int],
    limits: State | None = None,
    *,
    sampled: bool = False,
) -> Tensor:
    """Arrival times ``(S, len(times), starts)``, 0 for never, of the greedy policy or of the sampled one."""
    parts = [times[first : first + TOGETHER] for first in range(0, len(times), TOGETHER)]
    return torch.cat([_play(agents, features, starts, part, limits, sampled)[0] for part in parts], dim=1)


def accumulator_range(agents: Agents, features: Tensor, starts: Tensor, times: Sequence[int]) -> State | None:
    """Smallest and largest number in each accumulator, each ``(S, 1, units)``, of greedy episodes; None without one."""
    return _play(agents, features, starts, times, None, False)[1]


@torch.no_grad()
def _play(
    agents: Agents, features: Tensor, starts: Tensor, times: Sequence[int], limits: State | None, sampled: bool
) -> tuple[Tensor, State | None]:
    seeds, device = len(agents), features.device
    instruction = torch.tensor(times, device=device).repeat_interleave(len(starts))
    start = starts.repeat(len(times))
    episodes = Episodes(agents, features, start.expand(seeds, -1), instruction.expand(seeds, -1), limits)
    streams = [UniformStream(agents.core.seeds, (len(starts),), domain=1 + T) for T in times] if sampled else []
    arrival = torch.zeros(seeds, len(start), dtype=torch.long, device=device)
    lanes = torch.arange(len(start), device=device)
    reached: list[State] = []
    for time in range(1, 2 * max(times) + GRACE + 1):
        logits, _ = episodes.look()
        going = (arrival[:, lanes] == 0) & (time <= 2 * instruction[lanes] + GRACE)
        if agents.core.template.accumulator is not None:
            reached.append(_range(episodes.state[-1], going))
        if sampled:
            uniform = torch.cat([stream.batch(time) for stream in streams], dim=1).to(device)
            action = sample(logits, uniform[:, lanes])
        else:
            action = logits.argmax(dim=-1)
        there = episodes.act(action) & going
        arrival[:, lanes] = torch.where(there, time, arrival[:, lanes])
        alive = (going & ~there).any(dim=0)
        if not alive.any():
            break
        if alive.sum() < 0.75 * len(lanes):  # copying what goes on pays only now and then
            lanes = lanes[alive]
            episodes.keep(alive.nonzero().mT.expand(seeds, -1))
    limits = None
    if reached:
        low, high = (torch.stack(part) for part in zip(*reached, strict=True))
        limits = low.amin(dim=0), high.amax(dim=0)
    return arrival.view(seeds, len(times), len(starts)), limits


def _range(total: Tensor, going: Tensor) -> State:
    """Smallest and largest number over the episodes that go on, ``(S, N, units)`` to two of ``(S, 1, units)``."""
    over = ~going.unsqueeze(-1)
    low = total.masked_fill(over, torch.inf).amin(dim=1, keepdim=True)
    return low, total.masked_fill(over, -torch.inf).amax(dim=1, keepdim=True)
