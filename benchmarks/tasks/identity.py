"""Identity: f(x) = x on 11 integers, three hidden layers of 8, with an activation or an arithmetic unit.

The floor has the products of the four layers, and one tanh of every hidden number for the activation; for the NALU
three times the products, and a logarithm and an exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F

from benchmarks.baseline import adam_step
from benchmarks.candidate import BASELINE, FLOOR, Candidate, Target, ours, per_step, repeated
from benchmarks.products import Products
from tasks.identity.data import TRAINING_LIMIT
from tasks.identity.model import Cell, build
from tasks.identity.options import Config

CELLS: tuple[Cell, ...] = ("tanh", "nac", "nalu")


def candidates(seeds: Sequence[int]) -> Iterator[Candidate]:
    """All that are measured."""
    for cell in CELLS:
        yield Candidate(cell, BASELINE, 1, repeated(baseline(cell)))
        for count in seeds:
            targets = (Target(50, BASELINE),) if count == 100 else ()
            yield from ours(cell, Config(cell=cell, seeds=count), per_step(), targets=targets)
            yield Candidate(cell, FLOOR, count, repeated(floor(cell, count), count))


def examples() -> torch.Tensor:
    """The integers of training, ``(11, 1)``."""
    return torch.arange(-TRAINING_LIMIT, TRAINING_LIMIT + 1.0).unsqueeze(-1)


def baseline(cell: Cell) -> Callable[[], None]:
    """One network, all examples, Adam."""
    config, x = Config(cell=cell), examples()
    model = build(cell, config.width, config.init)
    return adam_step(model, lambda: F.mse_loss(model(x), x))


def floor(cell: Cell, seeds: int) -> Callable[[], None]:
    """The indispensable work alone."""
    width, batch = Config().width, len(examples())
    sizes = [(1, width), (width, width), (width, width), (width, 1)]
    # A NALU multiplies for a, for log m and for the gate.
    layers = [
        [Products(seeds, batch, *size, first=size[0] == 1) for _ in range(3 if cell == "nalu" else 1)] for size in sizes
    ]

    def step() -> None:
        for products in layers:
            for product in products:
                y = product()
            if cell == "tanh":
                torch.tanh(y)
            if cell == "nalu":
                torch.log(products[0].x)
                torch.exp(y)

    return step
