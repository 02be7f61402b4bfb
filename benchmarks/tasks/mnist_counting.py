"""MNIST counting: time for an image of a training series.

The floor is the convnet alone, forward and backward on the same number of images, without optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F

from benchmarks.baseline import adam_step
from benchmarks.candidate import BASELINE, FLOOR, Candidate, Target, ours, per_step, repeated
from tasks.mnist_counting.model import Encoder, Networks
from tasks.mnist_counting.options import Config
from tasks.mnist_counting.train import build

CLASSES, PIXELS = 10, (28, 28)
THROUGHPUT = 0.85
"""Of the floor's that training should reach."""


def candidates(seeds: Sequence[int]) -> Iterator[Candidate]:
    """All that are measured."""
    setting, unit = "counting, nac", "image"
    config = Config(dataset="sample", eval_size=1).resolved()
    series = (config.batch_size or 1, config.problem.length)
    images = series[0] * series[1]
    yield Candidate(setting, BASELINE, 1, repeated(baseline(config, series), images), unit)
    for count in seeds:
        own = Config(dataset="sample", eval_size=1, seeds=count)
        targets = (Target(THROUGHPUT, FLOOR),)
        yield from ours(setting, own, per_step(images), unit=unit, targets=targets)
        yield Candidate(setting, FLOOR, count, repeated(floor(count, images), count * images), unit)


def baseline(config: Config, series: tuple[int, int]) -> Callable[[], None]:
    """One network on random series of the same number of images, clipping, Adam."""
    networks: Networks = build(config)
    encoder, recurrent = Encoder(CLASSES, softmax=True), networks.recurrent.member(0)
    digits = torch.randint(0, 256, (1000, *PIXELS), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (1000,))

    def loss() -> torch.Tensor:
        chosen = torch.randint(0, len(digits), series)
        counts = F.one_hot(labels[chosen], CLASSES).sum(dim=1).float()
        read = encoder(digits[chosen].flatten(0, 1)).unflatten(0, series)
        return F.mse_loss(recurrent(read)[:, -1], counts)

    return adam_step(torch.nn.ModuleList([encoder, recurrent]), loss, clip=config.clip)


def floor(seeds: int, images: int) -> Callable[[], None]:
    """One convnet a seed, in turn."""
    encoders = [Encoder(CLASSES, softmax=True).to(memory_format=torch.channels_last) for _ in range(seeds)]
    pixels = torch.randint(0, 256, (images, *PIXELS), dtype=torch.uint8)

    def step() -> None:
        for encoder in encoders:
            encoder.zero_grad()
            encoder(pixels).square().sum().backward()

    return step
