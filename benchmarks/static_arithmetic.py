"""Static arithmetic, 100 inputs, 2 hidden units, batches of 128.

The floor draws the batch, takes one logarithm of it where the unit needs one, and has the products of the hidden layer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
import torch.nn.functional as F

from benchmarks.command import main
from benchmarks.contender import FLOOR, OBVIOUS, Contender, Target, ours, per_step, repeated
from benchmarks.plain import adam_step
from benchmarks.products import Products
from tasks.harness.streams import UniformStream
from tasks.static_arithmetic import TASK
from tasks.static_arithmetic.model import build
from tasks.static_arithmetic.options import Config

Cell = Literal["nac", "nalu"]
FASTER: dict[Cell, float] = {"nac": 20, "nalu": 16}
"""Than the obvious loop, with 100 seeds."""


def contenders(seeds: Sequence[int]) -> Iterator[Contender]:
    """All that are measured."""
    for cell in FASTER:
        yield Contender(f"add, {cell}", OBVIOUS, 1, repeated(obvious(cell)))
        for count in seeds:
            targets = (Target(FASTER[cell], OBVIOUS), Target(1 / 2, FLOOR)) if count == 100 else ()
            config = Config(cell=cell, seeds=count, eval_size=1)
            yield from ours(f"add, {cell}", config, per_step(), targets=targets, evaluation=({}, {}))
            chunk = min(count, TASK.seed_chunk or count)  # so many at a time is the faster floor, too
            yield Contender(f"add, {cell}", FLOOR, count, repeated(floor(cell, chunk), chunk))


def obvious(cell: Cell) -> Callable[[], None]:
    """One network, one fresh batch, Adam."""
    config = Config(cell=cell)
    model = build(cell, config.input_size, config.hidden_size, config.init)

    def loss() -> torch.Tensor:
        x = torch.empty(config.batch_size, config.input_size).uniform_(1, 2)
        y = x[:, :25].sum(1, keepdim=True) + x[:, 13:38].sum(1, keepdim=True)
        return F.mse_loss(model(x), y)

    return adam_step(model, loss)


def floor(cell: Cell, seeds: int) -> Callable[[], None]:
    """The indispensable work alone."""
    config = Config(cell=cell)
    stream = UniformStream(range(seeds), (config.batch_size, config.input_size))
    sizes = (seeds, config.batch_size, config.input_size, config.hidden_size)
    a, log_m, gate = (Products(*sizes, first=True) for _ in range(3))
    steps = itertools.count()

    def step() -> None:
        x = stream.batch(next(steps)).mT
        a(x)
        if cell == "nalu":
            log_m(torch.log(x))
            gate(x)

    return step


if __name__ == "__main__":
    main("static_arithmetic")
