"""Single module: one unit of 2 inputs, batches of 128; each seed on nine ranges at once.

The floor draws the batch, computes its targets, takes one logarithm where the unit needs one, and has the products,
elementwise, which for two inputs is faster than as matrices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Literal

import torch
import torch.nn.functional as F

from benchmarks.baseline import adam_step
from benchmarks.candidate import BASELINE, FLOOR, Candidate, Target, ours, per_step, repeated
from nalu.units.catalogue import BinaryOperation
from tasks.single_module.data import Data
from tasks.single_module.model import build
from tasks.single_module.options import Config

Cell = Literal["nac", "nalu", "nmu"]
SETTINGS: dict[Cell, BinaryOperation] = {"nac": "add", "nalu": "add", "nmu": "mul"}
JAX = "JAX, vmap and scan"


def candidates(seeds: Sequence[int]) -> Iterator[Candidate]:
    """All that are measured."""
    for cell, op in SETTINGS.items():
        setting = f"{op}, {cell}"
        yield Candidate(setting, BASELINE, 1, repeated(baseline(cell, op)))
        alone = Config(op=op, cell=cell, seeds=1, ranges=("U1..2",), eval_size=1)
        yield from ours(setting, alone, per_step())
        for count in seeds:
            config = Config(op=op, cell=cell, seeds=count, eval_size=1)
            models = count * len(config.ranges)
            targets = (Target(250, BASELINE), Target(1, JAX)) if models == 225 else ()
            units = per_step(len(config.ranges))
            yield from ours(setting, config, units, models=models, targets=targets)
            yield Candidate(setting, FLOOR, models, repeated(floor(config), models))
            if find_spec("jax"):
                from benchmarks.comparisons.jax_single_module import comparison

                yield Candidate(setting, JAX, models, comparison(config))


def baseline(cell: Cell, op: BinaryOperation) -> Callable[[], None]:
    """One unit, one fresh batch, Adam."""
    config = Config(op=op, cell=cell)
    model = build(cell, config.input_size)

    def loss() -> torch.Tensor:
        x = torch.empty(config.batch_size, config.input_size).uniform_(1, 2)
        y = x[:, :1] * x[:, 1:2] if op == "mul" else x[:, :1] + x[:, 1:2]
        return F.mse_loss(model(x), y)

    return adam_step(model, loss)


def floor(config: Config) -> Callable[[], None]:
    """The indispensable work alone."""
    models = config.seeds * len(config.ranges)
    data = Data(
        config.op,
        config.bounds(),
        config.seed_range,
        inputs=config.input_size,
        batch_size=config.batch_size,
        eval_size=1,
        device=torch.device("cpu"),
    )
    W = torch.randn(models, config.input_size, 1)
    gradient = torch.randn(models, 1, config.batch_size)
    steps = itertools.count()

    def products(x: torch.Tensor) -> None:
        """Forward and backward, of inputs ``(members, in, B)``."""
        (W * x).sum(dim=1)
        (gradient * x).sum(dim=2)

    def step() -> None:
        x = data.batch(next(steps))[0].mT
        products(x)
        if config.cell == "nalu":
            products(torch.log(x.abs()))
            products(x)  # of the gate

    return step
