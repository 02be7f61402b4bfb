"""Many grid worlds stepped as arrays: the gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Discrete
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from tasks.gridworld_time.world.arguments import (
    RenderMode,
    checked_actions,
    checked_render_mode,
    checked_times,
    observation_space,
    start_and_instruction,
)
from tasks.gridworld_time.world.dynamics import (
    ACTIONS,
    CELLS,
    NEXT,
    START_AGENT,
    START_TARGET,
    Rules,
    draw_start,
    whole_number,
)
from tasks.gridworld_time.world.env import GridWorldTime
from tasks.gridworld_time.world.rendering import Observation, observations, pictures, text


class GridWorldTimeVector(VectorEnv):
    """N grid worlds stepped as arrays, with exactly the results of N single :class:`GridWorldTime`.

    As in ``gymnasium.vector.SyncVectorEnv``, world i is seeded with ``seed + i`` (or the i-th of a sequence of seeds),
    and autoreset is NEXT_STEP: the step after the end of an episode ignores its action and resets that world. Reset
    options apply to all worlds.

    Args:
        num_envs: the number of worlds; the other arguments are those of :class:`GridWorldTime`.

    Raises:
        ValueError: for an invalid argument or reset option.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # gymnasium does not declare it as a class variable
        **GridWorldTime.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        observation: Observation = "pixels",
        times: tuple[int, int] = (5, 12),
        maximum: float = 1.0,
        patience: int = 2,
        render_mode: RenderMode | None = None,
    ) -> None:
        if whole_number("num_envs", num_envs) < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        self.num_envs = num_envs
        self.rules = Rules(maximum, patience)
        self.times = checked_times(times)
        self.render_mode = checked_render_mode(render_mode)
        self.single_observation_space = observation_space(observation)
        self.single_action_space = Discrete(len(ACTIONS))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._images = observations(observation)
        self._images = self._images.reshape(CELLS * CELLS, *self._images.shape[2:])
        self._randoms: list[np.random.Generator] = []
        self._agent, self._target, self._time, self._instruction = np.zeros((4, num_envs), np.int64)
        self._done = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start an episode in every world."""
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int | np.integer) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"seed must be one number or a sequence of {self.num_envs}, got {len(seeds)} numbers")
        if not self._randoms:
            self._randoms = [np_random(None)[0] for _ in range(self.num_envs)]
        for i, world_seed in enumerate(seeds or ()):
            if world_seed is not None:
                self._randoms[i] = np_random(int(world_seed))[0]
        self._begin(np.arange(self.num_envs), options or {})
        return self._observe(), self._info()

    def step(
        self, actions: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Take one action in every world whose episode is running; start a new episode in the others.

        Raises:
            ResetNeeded: before the first reset.
            ValueError: for actions that are not one whole number in 0..4 for each world.
        """
        if not self._randoms:
            raise ResetNeeded("call reset() before step()")
        actions = checked_actions(actions, self.num_envs)
        active = ~self._done
        self._agent = np.where(active, NEXT[self._agent, actions], self._agent)
        self._time += active
        arrived = active & (self._agent == self._target)
        rewards = np.where(arrived, self.rules.reward(self._time.astype(np.float64), self._instruction), 0.0)
        restarted = np.flatnonzero(self._done)
        self._done = active & (arrived | (self._time >= self.rules.time_out(self._instruction)))
        self._begin(restarted, {})
        return self._observe(), rewards, self._done.copy(), np.zeros(self.num_envs, bool), self._info()

    def render(self) -> tuple[np.ndarray | str, ...] | None:
        """One picture or text for each world."""
        if self.render_mode == "ansi":
            worlds = zip(self._agent, self._target, self._time, self._instruction, strict=True)
            return tuple(text(*(int(number) for number in world)) for world in worlds)
        return tuple(pictures()[self._agent, self._target]) if self.render_mode == "rgb_array" else None

    def _begin(self, worlds: np.ndarray, options: dict[str, Any]) -> None:
        for i in worlds:
            start, instruction = start_and_instruction(draw_start(self._randoms[i], *self.times), options)
            self._agent[i], self._target[i] = START_AGENT[start], START_TARGET[start]
            self._time[i], self._instruction[i], self._done[i] = 0, instruction, False

    def _observe(self) -> dict[str, np.ndarray]:
        image = self._images[self._agent * CELLS + self._target]
        return {"image": image, "instruction": self._instruction[:, None].copy()}

    def _info(self) -> dict[str, Any]:
        return {"time": self._time.copy(), "_time": np.ones(self.num_envs, bool)}
