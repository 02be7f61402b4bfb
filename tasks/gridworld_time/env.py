"""The grid world as environments of gymnasium; importing this module registers them.

``gymnasium.make("nalu/GridWorldTime-v0")`` and ``gymnasium.make_vec("nalu/GridWorldTime-v0", num_envs=128)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, get_args

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from tasks.gridworld_time.dynamics import ACTIONS, CELLS, NEXT, START_AGENT, START_TARGET, Rules, draw_start
from tasks.gridworld_time.pictures import Observation, observations, pictures, text

ID = "nalu/GridWorldTime-v0"
LONGEST = 10**6
"""The largest instruction T."""

RenderMode = Literal["rgb_array", "ansi"]


class GridWorldTime(gymnasium.Env[dict[str, np.ndarray], np.int64]):
    """Step on the red square exactly at time T (Trask et al. 2018, section 4.5).

    **World.** 5 x 5 cells with a wall around; an agent (grey) and one target (red) at different cells, all 600 ordered
    pairs equally likely. An instruction T, uniform in ``times`` (5 to 12), says when to arrive.

    **Actions.** ``Discrete(5)``: 0 UP, 1 DOWN, 2 LEFT, 3 RIGHT, 4 PASS. A move into the wall leaves the agent where it
    is; time passes all the same.

    **Observation.** ``Dict``: ``image``, by ``observation`` either ``"pixels"``, the whole world as a 56 x 56 x 3
    uint8 picture, or ``"symbolic"``, 2 x 5 x 5 planes (agent, target); and ``instruction``, T, ``(1,)`` int64. The time
    t is not observed: the agent has to count.

    **Reward.** After the first action t = 1. At the first arrival m (1 - \\|t - T\\| / T), but never below 0, with m =
    ``maximum``; 0 on every other step. The best arrival is at max(T, distance).

    **End.** Terminated on arrival, or without at the time-out t = L = ``patience`` x T, which belongs to the task: with
    the default of 2 nothing could be earned after it. Never truncated.

    **Reset.** ``options={"start": 0..599, "instruction": T}`` sets one or both. ``info["time"]`` is t.

    Args:
        observation: ``"pixels"`` or ``"symbolic"``.
        times: smallest and largest T.
        maximum: the reward m.
        patience: see End.
        render_mode: ``"rgb_array"``, the picture, or ``"ansi"``, text.

    Raises:
        ValueError: for an argument or an option that cannot be used.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # gymnasium has it as no class variable
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
        self.times = _checked(times)
        self.observation_space = _space(observation)
        self.action_space = Discrete(len(ACTIONS))
        if render_mode not in (None, *get_args(RenderMode)):
            raise ValueError(f"render_mode must be one of {', '.join(get_args(RenderMode))}, got {render_mode!r}")
        self.render_mode = render_mode
        self._seen = observations(observation)
        self._agent = self._target = self._time = self._instruction = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode; see the class for ``options``."""
        super().reset(seed=seed)
        start, self._instruction = _chosen(draw_start(self.np_random, *self.times), options or {})
        self._agent, self._target, self._time = int(START_AGENT[start]), int(START_TARGET[start]), 0
        return self._observe(), {"time": 0}

    def step(self, action: np.int64 | int) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Act once; see the class for what comes back."""
        self._agent = int(NEXT[self._agent, action])
        self._time += 1
        arrived = self._agent == self._target
        reward = float(self.rules.reward(np.float64(self._time), self._instruction)) if arrived else 0.0
        terminated = arrived or self._time >= self.rules.time_out(self._instruction)
        return self._observe(), reward, terminated, False, {"time": self._time}

    def render(self) -> np.ndarray | str | None:
        """The picture or the text of ``render_mode``."""
        if self.render_mode == "ansi":
            return text(self._agent, self._target, self._time, self._instruction)
        return pictures()[self._agent, self._target].copy() if self.render_mode == "rgb_array" else None

    def _observe(self) -> dict[str, np.ndarray]:
        image = self._seen[self._agent, self._target].copy()
        return {"image": image, "instruction": np.array([self._instruction])}


class GridWorldTimeVector(VectorEnv):
    """N grid worlds stepped as arrays; the same, number for number, as N times :class:`GridWorldTime` in turn.

    As in ``gymnasium.vector.SyncVectorEnv``, world i is seeded with ``seed + i`` (or the i-th of a sequence of seeds),
    and autoreset is NEXT_STEP: the step after the end of an episode ignores its action and resets that world. Reset
    options hold for all worlds alike. Arguments: ``num_envs``, and those of :class:`GridWorldTime`.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # as above
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
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        if render_mode not in (None, *get_args(RenderMode)):
            raise ValueError(f"render_mode must be one of {', '.join(get_args(RenderMode))}, got {render_mode!r}")
        self.num_envs = num_envs
        self.rules = Rules(maximum, patience)
        self.times = _checked(times)
        self.render_mode = render_mode
        self.single_observation_space = _space(observation)
        self.single_action_space = Discrete(len(ACTIONS))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._seen = observations(observation)
        self._seen = self._seen.reshape(CELLS * CELLS, *self._seen.shape[2:])
        self._randoms: list[np.random.Generator] = []
        self._agent, self._target, self._time, self._instruction = np.zeros((4, num_envs), np.int64)
        self._over = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode in every world."""
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int | np.integer) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"seed must be a number or {self.num_envs} of them, got {len(seeds)}")
        if not self._randoms:
            self._randoms = [np_random(None)[0] for _ in range(self.num_envs)]
        for i, own in enumerate(seeds or ()):
            if own is not None:
                self._randoms[i] = np_random(int(own))[0]
        self._begin(np.arange(self.num_envs), options or {})
        return self._observe(), self._info()

    def step(
        self, actions: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act once in every world whose episode goes on; begin a new one in the others."""
        acts = ~self._over
        self._agent = np.where(acts, NEXT[self._agent, actions], self._agent)
        self._time += acts
        arrived = acts & (self._agent == self._target)
        rewards = np.where(arrived, self.rules.reward(self._time.astype(np.float64), self._instruction), 0.0)
        begun = np.flatnonzero(self._over)
        self._over = acts & (arrived | (self._time >= self.rules.time_out(self._instruction)))
        self._begin(begun, {})
        return self._observe(), rewards, self._over.copy(), np.zeros(self.num_envs, bool), self._info()

    def render(self) -> tuple[np.ndarray | str, ...] | None:
        """One picture or text a world."""
        if self.render_mode == "ansi":
            worlds = zip(self._agent, self._target, self._time, self._instruction, strict=True)
            return tuple(text(*(int(number) for number in world)) for world in worlds)
        return tuple(pictures()[self._agent, self._target]) if self.render_mode == "rgb_array" else None

    def _begin(self, worlds: np.ndarray, options: dict[str, Any]) -> None:
        for i in worlds:
            start, instruction = _chosen(draw_start(self._randoms[i], *self.times), options)
            self._agent[i], self._target[i] = START_AGENT[start], START_TARGET[start]
            self._time[i], self._instruction[i], self._over[i] = 0, instruction, False

    def _observe(self) -> dict[str, np.ndarray]:
        image = self._seen[self._agent * CELLS + self._target]
        return {"image": image, "instruction": self._instruction[:, None].copy()}

    def _info(self) -> dict[str, Any]:
        return {"time": self._time.copy(), "_time": np.ones(self.num_envs, bool)}


def _space(observation: Observation) -> gymnasium.Space[Any]:
    if observation not in get_args(Observation):
        raise ValueError(f"observation must be one of {', '.join(get_args(Observation))}, got {observation!r}")
    image = observations(observation)
    highest = 255 if observation == "pixels" else 1
    instruction = Box(1, LONGEST, (1,), np.int64)
    return Dict({"image": Box(0, highest, image.shape[2:], np.uint8), "instruction": instruction})


def _checked(times: tuple[int, int]) -> tuple[int, int]:
    shortest, longest = times
    if not 1 <= shortest <= longest <= LONGEST:
        raise ValueError(f"times must be two numbers, 1 <= shortest <= longest <= {LONGEST}, got {times}")
    return shortest, longest


def _chosen(drawn: tuple[int, int], options: dict[str, Any]) -> tuple[int, int]:
    """What was drawn, unless ``options`` say otherwise."""
    unknown = sorted(set(options) - {"start", "instruction"})
    if unknown:
        raise ValueError(f"options may be start and instruction, got {', '.join(unknown)}")
    start, instruction = options.get("start", drawn[0]), options.get("instruction", drawn[1])
    if not 0 <= start < len(START_AGENT):
        raise ValueError(f"start must lie in 0..{len(START_AGENT) - 1}, got {start}")
    if not 1 <= instruction <= LONGEST:
        raise ValueError(f"instruction must lie in 1..{LONGEST}, got {instruction}")
    return int(start), int(instruction)


if ID not in gymnasium.registry:
    gymnasium.register(
        ID, entry_point=f"{__name__}:GridWorldTime", vector_entry_point=f"{__name__}:GridWorldTimeVector"
    )
