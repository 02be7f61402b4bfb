"""What simple policies earn: curves over T to compare agents with, exact, without sampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tasks.gridworld_time.dynamics import CELLS, DISTANCE, NEXT, START_AGENT, START_TARGET, Rules

_distance = DISTANCE[START_AGENT, START_TARGET]


def random_walk(times: Sequence[int], rules: Rules) -> np.ndarray:
    """Mean reward of uniformly random actions, by T."""
    longest = max(rules.time_out(T) for T in times)
    steps = np.zeros((CELLS, CELLS))
    np.add.at(steps, (np.arange(CELLS)[:, None], NEXT), 1 / NEXT.shape[1])
    arrives = np.zeros((longest + 1, len(_distance)))
    for target in range(CELLS):
        elsewhere = np.eye(CELLS)
        rows = np.isin(START_TARGET, target)
        for step in range(1, longest + 1):
            elsewhere = elsewhere @ steps
            arrives[step, rows] = elsewhere[START_AGENT[rows], target]
            elsewhere[:, target] = 0  # an episode ends there
    time = np.arange(1, longest + 1)
    return np.array(
        [
            (rules.reward(time, T) * (time <= rules.time_out(T))) @ arrives[1:].mean(axis=1)
            for T in np.asarray(times, np.float64)
        ]
    )


def arriving_at(time: int) -> Callable[[Sequence[int], Rules], np.ndarray]:
    """Mean reward, by T, of who arrives at this time whatever T is, or later if it is too far."""

    def curve(times: Sequence[int], rules: Rules) -> np.ndarray:
        arrival = np.maximum(_distance, time)
        instruction = np.asarray(times, np.float64)[:, None]
        reward = rules.reward(arrival, instruction) * (arrival <= rules.time_out(instruction))
        return reward.mean(axis=1)

    return curve


def optimum(times: Sequence[int], rules: Rules) -> np.ndarray:
    """The largest mean reward, by T."""
    return rules.best_reward(_distance, np.asarray(times, np.float64)[:, None]).mean(axis=1)


def best_blind(trained: Sequence[int], rules: Rules) -> int:
    """The fixed arrival time that earns most on average over the training range: the best without hearing T."""
    return max(range(1, 2 * max(trained)), key=lambda time: arriving_at(time)(trained, rules).mean())
