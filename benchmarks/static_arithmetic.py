"""Speed of static arithmetic: time per model-step (one step of one seed), alone and with 100 seeds.

``python -m benchmarks.static_arithmetic`` compares our training step with the same step written the obvious way for
one seed, and with the floor: the least that any implementation must do, which is to draw the batch, take one logarithm
of it where the unit needs one, and multiply matrices forward and backward. Times are medians; read the ratios.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import tyro
from rich.console import Console

from tasks.harness.contract import Table
from tasks.harness.render import show
from tasks.harness.streams import UniformStream
from tasks.static_arithmetic.model import build
from tasks.static_arithmetic.train import Config, train

Cell = Literal["nac", "nalu"]


@dataclass(frozen=True)
class Settings:
    """How to measure."""

    seeds: int = 100
    """Members of the ensemble."""
    repetitions: int = 7
    """Measurements of each time; the median counts."""
    steps: int = 20
    """Steps in a measurement of an ensemble; a single model takes ten times as many."""
    threads: int = 1
    """Threads of torch."""


def ours(cell: Cell, seeds: int, steps: int) -> Iterator[float]:
    """Seconds per model-step of the task's own training loop, at its defaults."""
    config = Config(
        cell=cell, seeds=seeds, steps=10**9, eval_every=steps, eval_size=1, device="cpu", schedule="constant"
    )
    snapshots = train(config)
    next(snapshots)
    while True:
        started = time.perf_counter()
        next(snapshots)  # the steps to the next evaluation, and one of two examples
        yield (time.perf_counter() - started) / steps / seeds


def obvious(cell: Cell, steps: int) -> Iterator[float]:
    """Seconds per step of a plain loop: one network, one fresh batch, Adam."""
    config = Config(cell=cell)
    model = build(cell, config.input_size, config.hidden_size, config.init)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    while True:
        started = time.perf_counter()
        for _ in range(steps):
            x = torch.empty(config.batch_size, config.input_size).uniform_(1, 2)
            y = x[:, :25].sum(1, keepdim=True) + x[:, 13:38].sum(1, keepdim=True)
            loss = torch.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield (time.perf_counter() - started) / steps


def floor(cell: Cell, seeds: int, steps: int) -> Iterator[float]:
    """Seconds per model-step of the indispensable work alone."""
    config = Config(cell=cell)
    products = {"nac": 1, "nalu": 3}[cell]  # a; or a, log m and the gate
    stream = UniformStream(range(seeds), (config.batch_size, config.input_size))
    W = torch.randn(products, seeds, config.hidden_size, config.input_size)
    gradient = torch.randn(seeds, config.hidden_size, config.batch_size)
    for step in itertools.count():
        started = time.perf_counter()
        for within in range(steps):
            x = stream.batch(step * steps + within)
            if cell == "nalu":
                logarithm = torch.log(x)
            for product in range(products):
                z = logarithm if product == 1 else x
                W[product] @ z.mT
                gradient @ z
        yield (time.perf_counter() - started) / steps / seeds


def main(settings: Settings) -> None:
    """Measure and print the table."""
    torch.set_num_threads(settings.threads)
    rows = []
    for cell in ("nac", "nalu"):
        measurements = {
            "obvious loop, 1 seed": obvious(cell, 10 * settings.steps),
            "ours, 1 seed": ours(cell, 1, 10 * settings.steps),
            f"ours, {settings.seeds} seeds": ours(cell, settings.seeds, settings.steps),
            f"floor, {settings.seeds} seeds": floor(cell, settings.seeds, settings.steps),
        }
        times = _interleaved(measurements, settings.repetitions)
        reference, *_, least = (statistics.median(values) for values in times.values())
        for name, values in times.items():
            median = statistics.median(values)
            spread = f"{min(values) * 1e6:.1f} … {max(values) * 1e6:.1f}"
            rows.append(
                [f"{cell}: {name}", f"{median * 1e6:.1f}", spread, f"{reference / median:.1f}", f"{median / least:.2f}"]
            )
    header = ["one step of one seed", "µs (median)", "min … max", "times faster than obvious", "times the floor"]
    title = f"Static arithmetic, 100 -> 2 -> 1, batch 128, {settings.threads} thread(s), torch {torch.__version__}"
    show(Table(title, header, rows), Console())


def _interleaved(measurements: dict[str, Iterator[float]], repetitions: int) -> dict[str, list[float]]:
    """All in turn, so that a drift of the machine meets all of them; the first round is a warm-up."""
    rounds = [{name: next(times) for name, times in measurements.items()} for _ in range(repetitions + 1)]
    return {name: [times[name] for times in rounds[1:]] for name in measurements}


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
