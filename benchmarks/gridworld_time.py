"""Speed of the grid world: environment steps a second, of our training and of the environment alone.

``python -m benchmarks.gridworld_time``. Steps of episodes that have ended are not counted. Medians. Where it is
installed (``pip install -e '.[rivals]'``), stable-baselines3 trains on the same environment in the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from unittest.mock import patch

import numpy as np
import torch
import tyro
from rich.console import Console

from benchmarks.mnist_counting import interleaved
from tasks.gridworld_time.env import GridWorldTimeVector
from tasks.gridworld_time.pictures import Observation
from tasks.gridworld_time.train import Config, train
from tasks.harness.contract import Table
from tasks.harness.render import show


@dataclass(frozen=True)
class Settings:
    """How to measure."""

    repetitions: int = 5
    """Measurements of each speed; the median counts."""
    steps: int = 20
    """Updates, or steps of 128 environments, in a measurement."""
    threads: int = 1
    """Threads of torch."""


def training(observation: Observation, seeds: int, steps: int) -> Iterator[float]:
    """Environment steps a second, over all seeds, of the training loop from the start, without its evaluations."""
    config = Config(observation=observation, seeds=seeds, steps=10**9, eval_every=steps, device="cpu")
    with patch.object(import_module("tasks.gridworld_time.train"), "evaluate", lambda *_: {}):
        snapshots = train(config)
        before = next(snapshots).metrics["environment/steps"].sum().item()
        while True:
            started = time.perf_counter()
            after = next(snapshots).metrics["environment/steps"].sum().item()
            yield (after - before) / (time.perf_counter() - started)
            before = after


def environment(observation: Observation, steps: int) -> Iterator[float]:
    """Steps a second of 128 environments with random actions."""
    env = GridWorldTimeVector(128, observation)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(5, size=(steps, 128))
    while True:
        started = time.perf_counter()
        for action in actions:
            env.step(action)
        yield actions.size / (time.perf_counter() - started)


def main(settings: Settings) -> None:
    """Measure and print the table."""
    torch.set_num_threads(settings.threads)
    kinds: tuple[Observation, ...] = ("symbolic", "pixels")
    measurements = {
        f"{name}, {kind}": measure
        for kind in kinds
        for name, measure in (
            ("environment alone", environment(kind, 10 * settings.steps)),
            ("training, 1 seed", training(kind, 1, settings.steps)),
            ("training, 5 seeds", training(kind, 5, settings.steps)),
        )
    }
    if find_spec("sb3_contrib"):
        from benchmarks.stable_baselines import a2c, recurrent_ppo

        for kind in kinds:
            measurements[f"RecurrentPPO of sb3-contrib, {kind}"] = recurrent_ppo(kind)
            measurements[f"A2C of stable-baselines3, no memory, {kind}"] = a2c(kind)
    speeds = interleaved(measurements, settings.repetitions)
    rows = [[name, f"{statistics.median(s):.0f}", f"{min(s):.0f} … {max(s):.0f}"] for name, s in speeds.items()]
    title = f"Grid world, 128 environments, LSTM-64, {settings.threads} thread(s), torch {torch.__version__}"
    show(Table(title, ["what", "environment steps a second", "min … max"], rows), Console())


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
