"""Speed of MNIST counting: our training step beside that of the convnet alone.

``python -m benchmarks.mnist_counting`` compares the training step of the task (draw series, convnet, recurrent NAC,
backward, clipping, Adam) with that of the convnet alone on the same number of images, and convnets of several seeds
one after the other with the same as one grouped convolution. Times are medians; read the ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from unittest.mock import patch

import torch
import tyro
from rich.console import Console
from torch import Tensor, nn

from nalu import Ensemble
from tasks.harness.contract import Table
from tasks.harness.render import show
from tasks.mnist_counting.model import Encoder, Networks
from tasks.mnist_counting.train import Config, train


@dataclass(frozen=True)
class Settings:
    """How to measure."""

    seeds: int = 5
    """Networks trained side by side."""
    repetitions: int = 7
    """Measurements of each time; the median counts."""
    steps: int = 20
    """Steps in a measurement."""
    threads: int = 1
    """Threads of torch."""


def ours(seeds: int, steps: int) -> Iterator[float]:
    """Seconds per step of one seed of the task's own training loop, without its evaluations."""
    config = Config(dataset="sample", seeds=seeds, steps=10**9, eval_every=steps, device="cpu")
    module = import_module("tasks.mnist_counting.train")  # the package has a function of that name
    with patch.object(module, "evaluate", lambda *_: {}):
        snapshots = train(config)
        next(snapshots)
        while True:
            started = time.perf_counter()
            next(snapshots)
            yield (time.perf_counter() - started) / steps / seeds


def convnet(seeds: int, steps: int, *, grouped: bool, images: int) -> Iterator[float]:
    """Seconds per step of one seed of the convnets alone: forward, backward, Adam, on noise."""
    pixels = torch.randint(0, 256, (seeds, images, 28, 28), dtype=torch.uint8)
    model: nn.Module
    encode: Callable[[Tensor], Tensor]
    if grouped:
        model = Ensemble(lambda: Encoder(10, softmax=True), range(seeds))
        encode = model
    else:
        model = Networks(lambda: Encoder(10, softmax=True), nn.Identity, range(seeds))
        encode = model.encode
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        loss = encode(pixels).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    while True:
        started = time.perf_counter()
        for _ in range(steps):
            step()
        yield (time.perf_counter() - started) / steps / seeds


def main(settings: Settings) -> None:
    """Measure and print the table."""
    torch.set_num_threads(settings.threads)
    config = Config(dataset="sample").resolved()
    images = (config.batch_size or 1) * config.problem.length
    seeds, steps = settings.seeds, settings.steps
    measurements = {
        "convnet alone, 1 seed": convnet(1, steps, grouped=False, images=images),
        "training step, 1 seed": ours(1, steps),
        f"convnets alone, {seeds} seeds in turn": convnet(seeds, steps, grouped=False, images=images),
        f"convnets alone, {seeds} seeds as one grouped": convnet(seeds, steps, grouped=True, images=images),
        f"training step, {seeds} seeds": ours(seeds, steps),
    }
    times = interleaved(measurements, settings.repetitions)
    alone = statistics.median(times["convnet alone, 1 seed"])
    rows = []
    for name, values in times.items():
        median = statistics.median(values)
        spread = f"{min(values) * 1e3:.1f} … {max(values) * 1e3:.1f}"
        rows.append([name, f"{median * 1e3:.1f}", spread, f"{images / median:.0f}", f"{100 * alone / median:.0f} %"])
    header = ["one step of one seed", "ms (median)", "min … max", "images a second", "throughput of the convnet alone"]
    title = f"MNIST counting, NAC, {images} images a step, {settings.threads} thread(s), torch {torch.__version__}"
    show(Table(title, header, rows), Console())


def interleaved(measurements: dict[str, Iterator[float]], repetitions: int) -> dict[str, list[float]]:
    """All in turn, so that a drift of the machine meets all of them; the first round is a warm-up."""
    rounds = [{name: next(times) for name, times in measurements.items()} for _ in range(repetitions + 1)]
    return {name: [times[name] for times in rounds[1:]] for name in measurements}


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
