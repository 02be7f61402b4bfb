"""The grid world: time for a step of the environment in training. Steps of episodes that have ended do not count.

If it is installed (``pip install -e '.[comparisons]'``), stable-baselines3 trains on the same environment. The floor
exists for symbolic observations: on every step random numbers, the LSTM's products with its state and with T, forward
and backward, and its activations. Pictures are left out; there are only 600.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import torch

from benchmarks.candidate import FLOOR, Candidate, Target, ours, repeated
from benchmarks.products import Products
from tasks.gridworld_time import TASK
from tasks.gridworld_time.options import Config
from tasks.gridworld_time.world.rendering import Observation
from tasks.gridworld_time.world.vector_env import GridWorldTimeVector
from tasks.harness.contract import Snapshot
from tasks.harness.streams import UniformStream

UNIT = "environment step"
WORLDS = 128
OBSERVATIONS: tuple[Observation, ...] = ("symbolic", "pixels")
RECURRENT_PPO, A2C = "RecurrentPPO", "A2C"
"""Of sb3-contrib, with an LSTM-64; of stable-baselines3, without memory."""
SMALL, DUMMY = ", network as ours", ", DummyVecEnv"
"""With no more layers than ours has; on single environments in turn, as one gets it without further ado."""
TARGETS = tuple(
    Target(factor, name + how) for factor, name in ((8, RECURRENT_PPO), (2, A2C)) for how in ("", DUMMY, SMALL)
)


def candidates(seeds: Sequence[int]) -> Iterator[Candidate]:
    """All that are measured."""
    for kind in OBSERVATIONS:
        yield Candidate(kind, "environment alone", WORLDS, repeated(environment(kind), WORLDS), UNIT)
        for count in seeds:
            config = Config(observation=kind, seeds=count, episodes=WORLDS, eval_longest=13, eval_starts=10)
            targets = TARGETS if kind == "symbolic" else (Target(8, RECURRENT_PPO + SMALL), Target(2, A2C + SMALL))
            yield from ours(kind, config, environment_steps, unit=UNIT, targets=targets)
            if kind == "symbolic":
                chunk = replace(config, seeds=min(count, TASK.seed_chunk or count))
                yield Candidate(kind, FLOOR, count, repeated(floor(chunk), WORLDS * chunk.seeds), UNIT)
        if find_spec("sb3_contrib"):
            yield from comparisons(kind)


def environment_steps(snapshot: Snapshot, seeds: int) -> float:
    """Of all seeds, since the start of training."""
    return float(snapshot.metrics["environment/steps"].sum())


def environment(kind: Observation) -> Callable[[], object]:
    """A step of all worlds with random actions."""
    env = GridWorldTimeVector(WORLDS, kind)
    env.reset(seed=0)
    random = np.random.default_rng(0)
    return lambda: env.step(random.integers(5, size=WORLDS))


def comparisons(kind: Observation) -> Iterator[Candidate]:
    """Stable-baselines3 on our vector environment, and, with symbolic observations, on single environments."""
    from benchmarks.comparisons.stable_baselines import a2c, adapted, one_by_one, recurrent_ppo

    for how, worlds in ((SMALL, adapted), ("", adapted), (DUMMY, one_by_one))[: 3 if kind == "symbolic" else 1]:
        for name, training in ((RECURRENT_PPO, recurrent_ppo), (A2C, a2c)):
            yield Candidate(kind, name + how, 1, training(worlds(kind, WORLDS), ours=how == SMALL), UNIT)


def floor(config: Config) -> Callable[[], None]:
    """The indispensable work alone, of one step of all episodes."""
    hidden = config.hidden_size
    stream = UniformStream(config.seed_range, (WORLDS,))
    gates = Products(config.seeds, WORLDS, 1 + hidden, 4 * hidden)  # of [T, h]
    steps = itertools.count()

    def step() -> None:
        stream.batch(next(steps))
        y = gates()
        torch.sigmoid(y[:, hidden:])
        torch.tanh(y[:, :hidden])
        torch.tanh(y[:, :hidden])  # of the new c

    return step
