"""Number words: batches of 32 of 169 examples for the LSTM, all of them for the recurrent NALU.

The baseline of the LSTM is torch's own embedding, LSTM and linear layer. The floor has the products of the cell at
every word; for the LSTM also its activations, for the NALU a logarithm and an exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.baseline import adam_step
from benchmarks.candidate import BASELINE, FLOOR, Candidate, Target, ours, per_step, repeated
from benchmarks.products import Products
from tasks.number_translation.data import Data
from tasks.number_translation.model import build
from tasks.number_translation.options import Config
from tasks.number_translation.train import error

Model = Literal["lstm", "nalu-cell"]
FASTER: dict[Model, float] = {"lstm": 4, "nalu-cell": 10}
"""Than the baseline, with 100 seeds."""


class TorchReader(nn.Module):
    """Words as numbers, 0 for none, ``(B, length) -> (B,)``; of torch's own layers."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        sizes = config.sizes
        self.embedding = nn.Embedding(1 + sizes.words, sizes.embedding, padding_idx=0)
        self.lstm = nn.LSTM(sizes.embedding, sizes.hidden, batch_first=True)
        self.linear = nn.Linear(sizes.hidden, 1)
        self.scale = sizes.scale

    def forward(self, words: Tensor) -> Tensor:
        return self.scale * self.linear(self.lstm(self.embedding(words))[0][:, -1]).squeeze(-1)


def candidates(seeds: Sequence[int]) -> Iterator[Candidate]:
    """All that are measured."""
    for model in FASTER:
        yield Candidate(model, BASELINE, 1, repeated(baseline(model)))
        for count in seeds:
            targets = (Target(FASTER[model], BASELINE),) if count == 100 else ()
            config = Config(model=model, seeds=count)
            # Validation chooses the step by its error, which there must be one of.
            yield from ours(model, config, per_step(), targets=targets)
            yield Candidate(model, FLOOR, count, repeated(floor(model, count), count))


def examples(config: Config) -> tuple[Tensor, Tensor]:
    """Those of the first seed: one-hot words ``(169, length, words)`` and numbers ``(169,)``."""
    data = Data(config.wording, [config.split(0)], torch.device("cpu"), torch.float32)
    x, y = data.train
    return x[0], y[0]


def baseline(model: Model) -> Callable[[], None]:
    """One network, clipping, Adam."""
    config = Config(model=model, seeds=1)
    x, y = examples(config)
    network: nn.Module
    if model == "lstm":
        network = TorchReader(config)
        x = torch.where(x.any(dim=-1), 1 + x.argmax(dim=-1), 0)
    else:
        network = build(model, config.sizes)

    def loss() -> Tensor:
        size = config.recipe.batch_size
        chosen = torch.randint(0, len(y), (size,)) if size else slice(None)
        residual = error(network(x[chosen]), y[chosen], config.recipe.loss)
        return (residual.abs() if config.recipe.loss == "absolute" else residual.square()).mean()

    return adam_step(network, loss, clip=config.recipe.clip)


def floor(model: Model, seeds: int) -> Callable[[], None]:
    """The indispensable work alone."""
    config = Config(model=model, seeds=1)
    x, y = examples(config)
    batch, length = config.recipe.batch_size or len(y), x.shape[1]
    embedding, hidden = config.recipe.embedding, config.recipe.hidden
    # The four gates of the LSTM are one product; a NALU multiplies for a, for log m and for the gate.
    outputs, count = (4 * hidden, 1) if model == "lstm" else (hidden, 3)
    products = [Products(seeds, batch, embedding + hidden, outputs) for _ in range(count)]

    def step() -> None:
        for _ in range(length):
            for product in products:
                y = product()
            if model == "lstm":
                torch.sigmoid(y)
                torch.tanh(y[:, :hidden])
            else:
                torch.log(products[0].x)
                torch.exp(y)

    return step
