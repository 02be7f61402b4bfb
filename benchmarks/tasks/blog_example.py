"""The blog's example: two NALU layers, 10 inputs, 2 hidden units, all 10 000 examples in every step.

The floor takes one logarithm of the examples (they are the same in every step and for all seeds), and has the products
of the hidden layer, and an exponential of its two outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from benchmarks.baseline import adam_step
from benchmarks.candidate import BASELINE, FLOOR, Candidate, ours, per_step, repeated
from benchmarks.products import Products
from tasks.blog_example.data import INPUTS, TRAINING_LIMIT, examples
from tasks.blog_example.model import HIDDEN, build
from tasks.blog_example.options import Config


def candidates(seeds: Sequence[int]) -> Iterator[Candidate]:
    """All that are measured."""
    yield Candidate("nalu", BASELINE, 1, repeated(baseline()))
    for count in seeds:
        yield from ours("nalu", Config(seeds=count), per_step())
        yield Candidate("nalu", FLOOR, count, repeated(floor(count), count))


def baseline() -> Callable[[], None]:
    """One network, all examples, Adam."""
    config = Config()
    model = build(config.cell, config.init, config.gate_bias, config.separate_weights)
    x, y = examples(0, config.examples, TRAINING_LIMIT)
    return adam_step(model, lambda: (model(x) - y).square().sum() / 2)


def floor(seeds: int) -> Callable[[], None]:
    """The indispensable work alone."""
    config = Config()
    x = examples(0, config.examples, TRAINING_LIMIT)[0].T.contiguous()
    # Of all seeds at once: their weights are further rows of one matrix.
    a, log_m, gate = (Products(1, config.examples, INPUTS, seeds * HIDDEN, first=True) for _ in range(3))

    def step() -> None:
        a(x)
        gate(x)
        torch.exp(log_m(torch.log(x)))

    return step
