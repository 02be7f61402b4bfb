"""Arrival times of the agents, and how good they are. Every agent is evaluated on the same starts for every T."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.gridworld_time.agent.core import Range
from tasks.gridworld_time.agent.episodes import Episodes, sample
from tasks.gridworld_time.agent.model import Agents
from tasks.gridworld_time.options import TRAINED, Config
from tasks.gridworld_time.world.dynamics import DISTANCE, START_AGENT, START_TARGET, Rules
from tasks.harness.streams import UniformStream

GRACE = 20
"""Evaluation episodes run until 2T + 20. Arrivals after the time-out earn nothing but are recorded."""
TIMES_PER_BATCH = 4
"""Episodes of this many T are run together; more do not fit into the processor's caches."""


@dataclass(frozen=True)
class Outcome:
    """Means over starts for each seed and T, each ``(S, len(times))``."""

    reward: Tensor
    """Reward as a fraction of the optimal reward."""
    exact: Tensor
    """Fraction of the episodes that arrive at max(T, distance)."""
    arrived: Tensor
    """Fraction of the episodes that arrive by 2T + 20."""
    time: Tensor
    """Mean arrival time of the episodes that arrive; NaN if none does."""


def measure(arrival: Tensor, starts: Tensor, times: Sequence[int], rules: Rules) -> Outcome:
    """Compute the outcome of arrival times ``(S, len(times), starts)``, where 0 means never."""
    distance = torch.from_numpy(DISTANCE[START_AGENT, START_TARGET])[starts.cpu()]
    instruction = torch.tensor(times).unsqueeze(1)
    best = torch.from_numpy(rules.best_reward(distance.numpy(), instruction.numpy())).to(arrival.device)
    optimal = torch.from_numpy(rules.best_arrival(distance.numpy(), instruction.numpy())).to(arrival.device)
    instruction = instruction.to(arrival.device)
    arrived = arrival > 0
    rewarded = arrived & (arrival <= rules.time_out(instruction))
    reward = torch.where(rewarded, rules.reward(arrival.double(), instruction), 0.0)
    return Outcome(
        reward=reward.mean(dim=-1) / best.mean(dim=-1),
        exact=(arrival == optimal).double().mean(dim=-1),
        arrived=arrived.double().mean(dim=-1),
        time=arrival.sum(dim=-1) / arrived.sum(dim=-1),
    )


def arrivals(
    agents: Agents,
    features: Tensor,
    starts: Tensor,
    times: Sequence[int],
    reading_range: Range | None = None,
    *,
    sampled: bool = False,
) -> Tensor:
    """Arrival times of the greedy or the sampled policy, ``(S, len(times), starts)``, where 0 means never."""
    parts = [times[first : first + TIMES_PER_BATCH] for first in range(0, len(times), TIMES_PER_BATCH)]
    return torch.cat([_run(agents, features, starts, part, reading_range, sampled)[0] for part in parts], dim=1)


def accumulator_range(agents: Agents, features: Tensor, starts: Tensor, times: Sequence[int]) -> Range | None:
    """The range of each accumulator in greedy episodes, two of ``(S, 1, units)``; None without an accumulator."""
    return _run(agents, features, starts, times, None, False)[1]


def reading_range(config: Config, agents: Agents, features: Tensor, starts: Tensor) -> Range | None:
    """The range that the policy reads accumulators in during tests; None where it does not clip."""
    return accumulator_range(agents, features, starts, TRAINED) if config.clip_reading else None


@torch.no_grad()
def _run(
    agents: Agents,
    features: Tensor,
    starts: Tensor,
    times: Sequence[int],
    reading_range: Range | None,
    sampled: bool,
) -> tuple[Tensor, Range | None]:
    """Run every start with every T; returns the arrival times and the range of the accumulators."""
    seeds, device = len(agents), features.device
    instruction = torch.tensor(times, device=device).repeat_interleave(len(starts))
    start = starts.repeat(len(times))
    episodes = Episodes(agents, features, start.expand(seeds, -1), instruction.expand(seeds, -1), reading_range)
    streams = [UniformStream(agents.core.seeds, (len(starts),), domain=1 + T) for T in times] if sampled else []
    arrival = torch.zeros(seeds, len(start), dtype=torch.long, device=device)
    episode = torch.arange(len(start), device=device)
    ranges: list[Range] = []
    for time in range(1, 2 * max(times) + GRACE + 1):
        logits, _ = episodes.policy()
        active = (arrival[:, episode] == 0) & (time <= 2 * instruction[episode] + GRACE)
        if agents.core.template.accumulator is not None:
            ranges.append(_range(episodes.recurrent_state[-1], active))
        if sampled:
            uniform = torch.cat([stream.batch(time) for stream in streams], dim=1).to(device)
            action = sample(logits, uniform[:, episode])
        else:
            action = logits.argmax(dim=-1)
        arrived = episodes.step(action) & active
        arrival[:, episode] = torch.where(arrived, time, arrival[:, episode])
        remaining = (active & ~arrived).any(dim=0)
        if not remaining.any():
            break
        if remaining.sum() < 0.75 * len(episode):  # copying the remaining episodes at every step would cost more
            episode = episode[remaining]
            episodes.select(remaining.nonzero().mT.expand(seeds, -1))
    overall = None
    if ranges:
        low, high = (torch.stack(part) for part in zip(*ranges, strict=True))
        overall = low.amin(dim=0), high.amax(dim=0)
    return arrival.view(seeds, len(times), len(starts)), overall


def _range(total: Tensor, active: Tensor) -> Range:
    """The range of the accumulators over the active episodes, ``(S, N, units)`` to two of ``(S, 1, units)``."""
    inactive = ~active.unsqueeze(-1)
    low = total.masked_fill(inactive, torch.inf).amin(dim=1, keepdim=True)
    return low, total.masked_fill(inactive, -torch.inf).amax(dim=1, keepdim=True)
