"""Stable-baselines3 on our grid world, for comparison: ``pip install -e '.[rivals]'``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import Env
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from tasks.gridworld_time.env import GridWorldTimeVector
from tasks.gridworld_time.pictures import Observation

ENVIRONMENTS = 128
ROLLOUT = 24
"""Steps of every environment between two updates: the length of our longest episodes."""


class Worlds(VecEnv):
    """Our vector environment with the interface of stable-baselines3, which restarts episodes within a step."""

    def __init__(self, observation: Observation) -> None:
        self.worlds = GridWorldTimeVector(ENVIRONMENTS, observation)
        super().__init__(ENVIRONMENTS, self.worlds.single_observation_space, self.worlds.single_action_space)

    def reset(self) -> dict[str, np.ndarray]:
        return self.worlds.reset(seed=0)[0]

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = actions

    def step_wait(self) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, list[dict[str, Any]]]:
        seen, rewards, over, _, _ = self.worlds.step(self.actions)
        infos: list[dict[str, Any]] = [{} for _ in range(ENVIRONMENTS)]
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
        return [getattr(self.worlds, attr_name)] * ENVIRONMENTS

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **options: Any) -> list[Any]:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: type[Env], indices: Any = None) -> list[bool]:
        return [False] * ENVIRONMENTS


def recurrent_ppo(observation: Observation) -> Iterator[float]:
    """Environment steps a second of sb3-contrib's RecurrentPPO: LSTM-64, one epoch, one update a rollout."""
    return _speeds(
        RecurrentPPO(
            "MultiInputLstmPolicy",
            Worlds(observation),
            n_steps=ROLLOUT,
            batch_size=ROLLOUT * ENVIRONMENTS,
            n_epochs=1,
            policy_kwargs={"lstm_hidden_size": 64, "net_arch": [], "enable_critic_lstm": False, "shared_lstm": True},
            device="cpu",
        )
    )


def a2c(observation: Observation) -> Iterator[float]:
    """Environment steps a second of stable-baselines3's A2C, which has no memory: a hidden layer of 64."""
    worlds = Worlds(observation)
    return _speeds(A2C("MultiInputPolicy", worlds, n_steps=ROLLOUT, policy_kwargs={"net_arch": [64]}, device="cpu"))


def _speeds(model: BaseAlgorithm, rollouts: int = 5) -> Iterator[float]:
    while True:
        started = time.perf_counter()
        model.learn(rollouts * ROLLOUT * ENVIRONMENTS)
        yield rollouts * ROLLOUT * ENVIRONMENTS / (time.perf_counter() - started)
