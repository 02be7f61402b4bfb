"""Recurrent arithmetic: 10 inputs a step, 10 steps, batches of 128 sequences, a state of 2.

The floor draws the batch and has the products of the cell at every step; for the NALU three times as many, a logarithm
of every input and state, and an exponential.
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
from tasks.recurrent_arithmetic.data import LENGTHS, SUBSETS
from tasks.recurrent_arithmetic.model import build
from tasks.recurrent_arithmetic.options import Config

Cell = Literal["nac", "nalu"]
CELLS: tuple[Cell, ...] = ("nac", "nalu")


def candidates(seeds: Sequence[int]) -> Iterator[Candidate]:
    """All that are measured."""
    for cell in CELLS:
        setting = f"add, {cell}"
        yield Candidate(setting, BASELINE, 1, repeated(baseline(cell)))
        for count in seeds:
            targets = (Target(15, BASELINE),) if count == 100 else ()
            config = Config(cell=cell, seeds=count, eval_size=1)
            yield from ours(setting, config, per_step(), targets=targets)
            yield Candidate(setting, FLOOR, count, repeated(floor(cell, count), count))


def baseline(cell: Cell) -> Callable[[], None]:
    """One network, one fresh batch, clipping, Adam."""
    config = Config(cell=cell)
    model = build(cell, SUBSETS.inputs, config.recipe.hidden_size, config.init)

    def loss() -> torch.Tensor:
        x = torch.empty(config.batch_size, LENGTHS[0], SUBSETS.inputs).uniform_(1, 2)
        sums = x.sum(dim=1)
        y = sums[:, :2].sum(1, keepdim=True) + sums[:, 1:3].sum(1, keepdim=True)
        return F.mse_loss(model(x), y)

    return adam_step(model, loss, clip=config.clip)


def floor(cell: Cell, seeds: int) -> Callable[[], None]:
    """The indispensable work alone."""
    config, length = Config(cell=cell), LENGTHS[0]
    state, batch = config.recipe.hidden_size, config.batch_size
    stream = UniformStream(range(seeds), (batch, length, SUBSETS.inputs))
    products = [Products(seeds, batch, SUBSETS.inputs + state, state) for _ in range(3 if cell == "nalu" else 1)]
    steps = itertools.count()

    def step() -> None:
        stream.batch(next(steps))
        for _ in range(length):
            for product in products:
                y = product()
            if cell == "nalu":
                torch.log(products[0].x)
                torch.exp(y)

    return step
