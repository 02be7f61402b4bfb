"""Stable-baselines3 on our grid world, for comparison: ``pip install -e '.[comparisons]'``."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from benchmarks.candidate import TimedWork, repeated
from tasks.gridworld_time.world.env import ID
from tasks.gridworld_time.world.rendering import Observation
from tasks.gridworld_time.world.vector_env import GridWorldTimeVector

ROLLOUT = 24
"""Steps of every environment between two updates: the length of our longest episodes."""


class Worlds(VecEnv):
    """Our vector environment with the interface of stable-baselines3, which restarts episodes within a step."""

    def __init__(self, observation: Observation, worlds: int) -> None:
        self.worlds = GridWorldTimeVector(worlds, observation)
        super().__init__(worlds, self.worlds.single_observation_space, self.worlds.single_action_space)

    def reset(self) -> dict[str, np.ndarray]:
        return self.worlds.reset(seed=0)[0]

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = actions

    def step_wait(self) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, list[dict[str, Any]]]:
        seen, rewards, over, _, _ = self.worlds.step(self.actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(over)
        if len(ended):
            for world in ended:
                infos[world]["terminal_observation"] = {name: values[world] for name, values in seen.items()}
            self.worlds._begin(ended, {})  # its own restart comes a step later, as gymnasium has it
            seen = self.worlds._observe()
        return seen, rewards, over, infos

    def close(self) -> None:
        self.worlds.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.worlds, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **options: Any) -> list[Any]:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Env], indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def adapted(observation: Observation, worlds: int) -> VecEnv:
    """Our vector environment."""
    return Worlds(observation, worlds)


def one_by_one(observation: Observation, worlds: int) -> VecEnv:
    """Environments of gymnasium.make, stepped in turn, as stable-baselines3 does it by default."""
    return DummyVecEnv([lambda: gymnasium.make(ID, observation=observation)] * worlds)


def recurrent_ppo(worlds: VecEnv, *, ours: bool) -> TimedWork:
    """The training of sb3-contrib's RecurrentPPO with LSTM-64, one epoch and one update a rollout.

    Its own network has a second LSTM for the critic and two layers of 64 after each; ours has neither.
    """
    network = {"net_arch": [], "enable_critic_lstm": False, "shared_lstm": True} if ours else {}
    return _training(
        RecurrentPPO(
            "MultiInputLstmPolicy",
            worlds,
            n_steps=ROLLOUT,
            batch_size=ROLLOUT * worlds.num_envs,
            n_epochs=1,
            policy_kwargs={"lstm_hidden_size": 64, **network},
            device="cpu",
        )
    )


def a2c(worlds: VecEnv, *, ours: bool) -> TimedWork:
    """The training of stable-baselines3's A2C, which has no memory.

    With a hidden layer of 64 and our rollouts, or as it comes: two layers of 64 for each of policy and value, an update
    after five steps.
    """
    settings: dict[str, Any] = {"n_steps": ROLLOUT, "policy_kwargs": {"net_arch": [64]}} if ours else {}
    return _training(A2C("MultiInputPolicy", worlds, device="cpu", **settings))


def _training(model: OnPolicyAlgorithm) -> TimedWork:
    steps = model.n_steps * model.n_envs
    return repeated(lambda: model.learn(steps, reset_num_timesteps=False), steps)
