"""The grid world as a gymnasium environment; importing this module registers it and its vector environment.

``gymnasium.make("nalu/GridWorldTime-v0")`` and ``gymnasium.make_vec("nalu/GridWorldTime-v0", num_envs=128)``.
"""

from __future__ import annotations

from typing import Any, ClassVar, get_args

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Discrete

from tasks.gridworld_time.world.arguments import (
    RenderMode,
    checked_action,
    checked_render_mode,
    checked_times,
    observation_space,
    start_and_instruction,
)
from tasks.gridworld_time.world.dynamics import ACTIONS, NEXT, START_AGENT, START_TARGET, Rules, draw_start
from tasks.gridworld_time.world.rendering import Observation, observations, pictures, text

ID = "nalu/GridWorldTime-v0"
"""The name under which gymnasium knows the environment."""


class GridWorldTime(gymnasium.Env[dict[str, np.ndarray], np.int64]):
    """Step on the red square exactly at time T (Trask et al. 2018, section 4.5).

    **World.** 5 x 5 cells, surrounded by a wall. The agent (grey) and the target (red) start on different cells; all
    600 ordered pairs are equally likely. The instruction T, uniform in ``times`` (5 to 12), says when to arrive.

    **Actions.** ``Discrete(5)``: 0 UP, 1 DOWN, 2 LEFT, 3 RIGHT, 4 PASS. A move into the wall leaves the agent where it
    is, but takes a step of time.

    **Observation.** A ``Dict`` of ``image`` and ``instruction``. With ``observation="pixels"`` the image is the whole
    world as a 56 x 56 x 3 uint8 picture, with ``"symbolic"`` two one-hot planes of 5 x 5 (agent, target), uint8. The
    instruction is T, ``(1,)`` int64. The agent does not observe the time t; it has to count.

    **Reward.** After the first action t = 1. Arrival at time t earns m (1 - \\|t - T\\| / T), at least 0, with m =
    ``maximum``. Every other step earns 0. The best arrival time is max(T, distance).

    **End.** An episode terminates on arrival or at the time-out t = L = ``patience`` x T. The time-out is part of the
    task: with the default patience of 2, no reward is possible after it. Episodes are never truncated.

    **Reset.** ``options={"start": 0..599, "instruction": T}`` sets one of them or both; what it leaves out is drawn.
    ``info["time"]`` is t.

    Args:
        observation: ``"pixels"`` or ``"symbolic"``.
        times: smallest and largest T.
        maximum: the reward m of arriving exactly at T.
        patience: the time-out as a multiple of T.
        render_mode: ``"rgb_array"`` for the picture, ``"ansi"`` for text, None for neither.

    Raises:
        ValueError: for an invalid argument or reset option.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # gymnasium does not declare it as a class variable
        "render_modes": list(get_args(RenderMode)),
        "render_fps": 5,
    }

    def __init__(
        self,
        observation: Observation = "pixels",
        times: tuple[int, int] = (5, 12),
        maximum: float = 1.0,
        patience: int = 2,
        render_mode: RenderMode | None = None,
    ) -> None:
        self.rules = Rules(maximum, patience)
        self.times = checked_times(times)
        self.observation_space = observation_space(observation)
        self.action_space = Discrete(len(ACTIONS))
        self.render_mode = checked_render_mode(render_mode)
        self._images = observations(observation)
        self._agent = self._target = self._time = self._instruction = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start an episode; the class describes ``options``."""
        super().reset(seed=seed)
        start, self._instruction = start_and_instruction(draw_start(self.np_random, *self.times), options or {})
        self._agent, self._target, self._time = int(START_AGENT[start]), int(START_TARGET[start]), 0
        return self._observe(), {"time": 0}

    def step(self, action: np.int64 | int) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Take one action; returns the observation, reward, terminated, truncated (always False) and info.

        Raises:
            ResetNeeded: before the first reset.
            ValueError: for an action that is no whole number in 0..4.
        """
        if not self._instruction:
            raise ResetNeeded("call reset() before step()")
        self._agent = int(NEXT[self._agent, checked_action(action)])
        self._time += 1
        arrived = self._agent == self._target
        reward = float(self.rules.reward(np.float64(self._time), self._instruction)) if arrived else 0.0
        terminated = arrived or self._time >= self.rules.time_out(self._instruction)
        return self._observe(), reward, terminated, False, {"time": self._time}

    def render(self) -> np.ndarray | str | None:
        """The picture or the text, as ``render_mode`` says."""
        if self.render_mode == "ansi":
            return text(self._agent, self._target, self._time, self._instruction)
        return pictures()[self._agent, self._target].copy() if self.render_mode == "rgb_array" else None

    def _observe(self) -> dict[str, np.ndarray]:
        image = self._images[self._agent, self._target].copy()
        return {"image": image, "instruction": np.array([self._instruction])}


if ID not in gymnasium.registry:
    gymnasium.register(
        ID,
        entry_point=f"{__name__}:GridWorldTime",
        vector_entry_point="tasks.gridworld_time.world.vector_env:GridWorldTimeVector",
    )
