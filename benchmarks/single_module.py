"""Speed of the single-module benchmark: time per model-step (one step of one seed on one range).

``python -m benchmarks.single_module`` compares our training step with the same step written the obvious way for one
seed, and with the floor: the least that any implementation must do, which is to draw the batch, compute its targets,
take one logarithm where the unit needs one, and multiply matrices forward and backward. Times are medians; read the
ratios.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import tyro
from rich.console import Console

from nalu.units import UnitName
from tasks.harness.contract import Table
from tasks.harness.render import show
from tasks.single_module.data import Data
from tasks.single_module.model import build
from tasks.single_module.train import Config, train


@dataclass(frozen=True)
class Settings:
    """How to measure."""

    cells: tuple[UnitName, ...] = ("nac", "nalu", "nmu")
    """The units."""
    seeds: int = 25
    """Members of the ensemble on each of the nine ranges."""
    repetitions: int = 7
    """Measurements of each time; the median counts."""
    steps: int = 100
    """Steps in a measurement of an ensemble; a single model takes ten times as many."""
    threads: int = 1
    """Threads of torch."""


def ours(config: Config, steps: int) -> Iterator[float]:
    """Seconds per model-step of the task's own training loop."""
    snapshots = train(config)
    next(snapshots)
    while True:
        started = time.perf_counter()
        next(snapshots)  # the steps to the next evaluation, and one of two examples a range
        yield (time.perf_counter() - started) / steps / config.seeds / len(config.ranges)


def obvious(config: Config, steps: int) -> Iterator[float]:
    """Seconds per step of a plain loop: one unit, one fresh batch, Adam."""
    model = build(config.cell, config.input_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    while True:
        started = time.perf_counter()
        for _ in range(steps):
            x = torch.empty(config.batch_size, config.input_size).uniform_(1, 2)
            y = x[:, :1] * x[:, 1:2] if config.op == "mul" else x[:, :1] + x[:, 1:2]
            loss = torch.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield (time.perf_counter() - started) / steps


def floor(config: Config, steps: int) -> Iterator[float]:
    """Seconds per model-step of the indispensable work alone."""
    # Matrix products; the NALU's are a, log m and the gate, and the NMU has an elementwise product in their place.
    products = {"nalu": 3}.get(config.cell, 1)
    members = config.seeds * len(config.ranges)
    data = Data(
        config.op,
        config.bounds(),
        config.seed_range,
        inputs=config.input_size,
        batch_size=config.batch_size,
        eval_size=1,
        device=torch.device("cpu"),
    )
    W = torch.randn(members, 1, config.input_size)
    gradient = torch.randn(members, 1, config.batch_size)
    for measurement in itertools.count():
        started = time.perf_counter()
        for step in range(measurement * steps, (measurement + 1) * steps):
            x, _ = data.batch(step)
            if config.cell == "nalu":
                torch.log(x)
            for _ in range(products):
                W @ x.mT
                gradient @ x
        yield (time.perf_counter() - started) / steps / members


def main(settings: Settings) -> None:
    """Measure and print the table."""
    torch.set_num_threads(settings.threads)
    rows = []
    for cell in settings.cells:
        alone = Config(
            op="mul" if cell == "nmu" else "add",
            cell=cell,
            seeds=1,
            ranges=("U1..2",),
            steps=10**9,
            eval_every=10 * settings.steps,
            eval_size=1,
            device="cpu",
        )
        together = Config(
            op=alone.op,
            cell=cell,
            seeds=settings.seeds,
            steps=10**9,
            eval_every=settings.steps,
            eval_size=1,
            device="cpu",
        )
        members = settings.seeds * len(together.ranges)
        measurements = {
            "obvious loop, 1 member": obvious(alone, 10 * settings.steps),
            "ours, 1 member": ours(alone, 10 * settings.steps),
            f"ours, {members} members": ours(together, settings.steps),
            f"floor, {members} members": floor(together, settings.steps),
        }
        times = _interleaved(measurements, settings.repetitions)
        reference, *_, least = (statistics.median(values) for values in times.values())
        for name, values in times.items():
            median = statistics.median(values)
            spread = f"{min(values) * 1e6:.2f} … {max(values) * 1e6:.2f}"
            rows.append(
                [f"{cell}: {name}", f"{median * 1e6:.2f}", spread, f"{reference / median:.1f}", f"{median / least:.2f}"]
            )
    header = ["one step of one member", "µs (median)", "min … max", "times faster than obvious", "times the floor"]
    title = f"Single module, 2 -> 1, batch 128, {settings.threads} thread(s), torch {torch.__version__}"
    show(Table(title, header, rows), Console())


def _interleaved(measurements: dict[str, Iterator[float]], repetitions: int) -> dict[str, list[float]]:
    """All in turn, so that a drift of the machine meets all of them; the first round is a warm-up."""
    rounds = [{name: next(times) for name, times in measurements.items()} for _ in range(repetitions + 1)]
    return {name: [times[name] for times in rounds[1:]] for name in measurements}


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
