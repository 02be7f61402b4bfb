"""Static arithmetic, 100 inputs, 2 hidden units, batches of 128.

The floor draws the batch, takes one logarithm of it where the unit needs one, and has the products of the hidden layer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
import torch.nn.functional as F

from benchmarks.baseline import adam_step
from benchmarks.candidate import BASELINE, FLOOR, Candidate, Target, ours, per_step, repeated
from benchmarks.products import Products
from tasks.harness.streams import UniformStream
from tasks.static_arithmetic import TASK
from tasks.static_arithmetic.model import build
from tasks.static_arithmetic.options import Config

Cell = Literal["nac", "nalu"]
FASTER: dict[Cell, float] = {"nac": 20, "nalu": 16}
"""Than the baseline, with 100 seeds."""


def candidates(seeds: Sequence[int]) -> Iterator[Candidate]:
    """All that are measured."""
    for cell in FASTER:
        yield Candidate(f"add, {cell}", BASELINE, 1, repeated(baseline(cell)))
        for count in seeds:
            targets = (Target(FASTER[cell], BASELINE), Target(1 / 2, FLOOR)) if count == 100 else ()
            config = Config(cell=cell, seeds=count, eval_size=1)
            yield from ours(f"add, {cell}", config, per_step(), targets=targets)
            chunk = min(count, TASK.seed_chunk or count)  # so many at a time is the faster floor, too
            yield Candidate(f"add, {cell}", FLOOR, count, repeated(floor(cell, chunk), chunk))


def baseline(cell: Cell) -> Callable[[], None]:
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
