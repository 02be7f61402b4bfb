"""The mean reward of simple policies for each T, computed exactly, as reference curves for the agents.

Each function takes the instructions T and returns one reward for each, ``(len(times),)``, the mean over all 600 starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tasks.gridworld_time.world.dynamics import CELLS, DISTANCE, NEXT, START_AGENT, START_TARGET, Rules

_distance = DISTANCE[START_AGENT, START_TARGET]


def random_walk(times: Sequence[int], rules: Rules) -> np.ndarray:
    """Mean reward of uniformly random actions for each T."""
    longest = max(rules.time_out(T) for T in times)
    transition = np.zeros((CELLS, CELLS))
    np.add.at(transition, (np.arange(CELLS)[:, None], NEXT), 1 / NEXT.shape[1])
    arrival = np.zeros((longest + 1, len(_distance)))
    for target in range(CELLS):
        occupancy = np.eye(CELLS)
        rows = np.isin(START_TARGET, target)
        for step in range(1, longest + 1):
            occupancy = occupancy @ transition
            arrival[step, rows] = occupancy[START_AGENT[rows], target]
            occupancy[:, target] = 0  # the episode ends there
    time = np.arange(1, longest + 1)
    return np.array(
        [
            (rules.reward(time, T) * (time <= rules.time_out(T))) @ arrival[1:].mean(axis=1)
            for T in np.asarray(times, np.float64)
        ]
    )


def arriving_at(time: int) -> Callable[[Sequence[int], Rules], np.ndarray]:
    """Mean reward for each T of always arriving at ``time``.

    The policy arrives as soon as possible where the target is farther away.
    """

    def curve(times: Sequence[int], rules: Rules) -> np.ndarray:
        arrival = np.maximum(_distance, time)
        instruction = np.asarray(times, np.float64)[:, None]
        reward = rules.reward(arrival, instruction) * (arrival <= rules.time_out(instruction))
        return reward.mean(axis=1)

    return curve


def optimum(times: Sequence[int], rules: Rules) -> np.ndarray:
    """The largest possible mean reward for each T."""
    return rules.best_reward(_distance, np.asarray(times, np.float64)[:, None]).mean(axis=1)


def best_blind(trained: Sequence[int], rules: Rules) -> int:
    """The arrival time with the largest mean reward over the training range for a policy that ignores T."""
    return max(range(1, 2 * max(trained)), key=lambda time: arriving_at(time)(trained, rules).mean())
