"""The options and the training loop of number words to numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from nalu import Adam, Ensemble
from nalu.schedules import cosine
from tasks.harness import config as harness
from tasks.harness.config import require
from tasks.harness.contract import Snapshot, State
from tasks.harness.errors import OptionError
from tasks.harness.files import write_columns
from tasks.harness.streams import UniformStream
from tasks.number_translation.best import Best, chosen_network, chosen_seed
from tasks.number_translation.data import Data, Language, Split, Wording, split
from tasks.number_translation.levenberg_marquardt import LevenbergMarquardt
from tasks.number_translation.model import Kind, Sizes, build, neutral
from tasks.number_translation.pictures import pictures

Loss = Literal["squared", "absolute", "relative"]
WARM_UP = 0.02
PENALIZED = 0.75
"""Part of a run of multiply-add during which its penalty acts; then the data alone decide."""

PREDICTIONS = "predictions.csv"
"""What a run leaves besides: see :func:`predictions`."""


@dataclass(frozen=True)
class Recipe:
    """Settings that suit a kind of network; why, is told in the README."""

    embedding: int
    embedding_std: float
    hidden: int
    learning_rate: float
    loss: Loss
    batch_size: int
    clip: float


READER = Recipe(
    embedding=32, embedding_std=0.05, hidden=10, learning_rate=0.01, loss="absolute", batch_size=32, clip=10.0
)
RECIPES: dict[Kind, Recipe] = {
    "lstm": READER,
    "gru": READER,
    "lstm-nac": READER,
    "lstm-nalu": READER,
    "transformer": replace(READER, hidden=32, learning_rate=0.003),
    "nalu-cell": replace(READER, embedding=4, hidden=1, learning_rate=0.05, loss="squared", batch_size=0, clip=1000.0),
    "multiply-add": replace(READER, embedding_std=0.1, hidden=1, loss="relative", batch_size=0),
}


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn to read numbers in words from 169 of 1000 examples."""

    model: Kind = "lstm"
    """lstm, gru, transformer: with a linear output; lstm-nac, lstm-nalu: with the unit on the last state; nalu-cell: a
    recurrent NALU over the embedded words; multiply-add: each word multiplies the state and adds to it."""
    seeds: int = 32
    """How many seeds are trained at once."""
    steps: int = 6000
    """Training steps of every seed; multiply-add, trained by a second-order method, needs no more than 120."""
    eval_every: int = 500
    """Steps between two evaluations; the last step is always evaluated."""
    split_seed: int | None = None
    """One split of the numbers for all seeds; by default each seed has its own."""
    limit: int = 1000
    """The numbers are those below this limit."""
    language: Language = "en"
    """The language of the words."""
    conjunction: bool = True
    """With or without the English "and"."""
    train_size: int = 169
    """Numbers to train with."""
    validation_size: int = 200
    """Numbers to choose the step by."""
    embedding: int | None = None
    """Size of the embedding; by default 32, 4 for nalu-cell. Not for multiply-add and transformer."""
    embedding_std: float | None = None
    """Standard deviation of its start; by default 0.05, and 0.1 for the noise of multiply-add (hidden 2 or more)."""
    hidden: int | None = None
    """Size of the state; by default 10, 32 for transformer, 1 for nalu-cell and multiply-add."""
    scale: float = 1000.0
    """The output of lstm, gru and transformer is multiplied by it."""
    loss: Loss | None = None
    """Of the error: squared, absolute, or relative (the square of error / (1 + number)); by default absolute, squared
    for nalu-cell, relative for multiply-add."""
    learning_rate: float | None = None
    """Of Adam, with cosine decay; by default 0.01, 0.003 for transformer, 0.05 for nalu-cell."""
    batch_size: int | None = None
    """Examples in a batch, 0 for all; by default 32, and 0 for nalu-cell and multiply-add."""
    clip: float | None = None
    """Largest norm of each seed's gradient; by default 10, 1000 for nalu-cell."""
    curriculum: int = 10
    """multiply-add: every so many steps, examples of one more word take part."""
    penalty: float = 1e-4
    """multiply-add: weight of the penalty on words that do something, during the first three quarters of the run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("limit", "train_size", "validation_size", "scale", "curriculum")
        for name in ("embedding", "embedding_std", "hidden", "learning_rate", "clip"):
            if getattr(self, name) is not None:
                self.require_positive(name)
        for name in ("train_size", "validation_size"):  # each number is put into words to see which words it has
            value = getattr(self, name)
            require(value <= 10_000, f"{harness.flag(name)} must lie in 1..10000, got {value}")
        require(100 <= self.limit <= 10**9, f"--limit must lie in 100..1000000000, got {self.limit}")
        if self.batch_size:  # 0 takes all examples
            self.require_positive("batch_size")
        require(
            0 <= self.penalty < float("inf"), f"--penalty must be a number that is not negative, got {self.penalty}"
        )
        require(
            self.split_seed is None or 0 <= self.split_seed < 2**32,
            f"--split-seed must lie in 0..{2**32 - 1}, got {self.split_seed}",
        )
        require(
            self.model != "transformer" or self.recipe.hidden % 2 == 0,
            f"--hidden must be even for a transformer, got {self.recipe.hidden}",
        )
        self.split(self.first_seed)

    @cached_property
    def recipe(self) -> Recipe:
        """The settings given, else those of the model."""
        given = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        default = RECIPES[self.model]
        return replace(default, **{name: value for name, value in given.items() if value is not None})

    def resolved(self) -> Config:
        """With the settings of the model where none are given."""
        return replace(self, **asdict(self.recipe))

    @property
    def wording(self) -> Wording:
        """How the numbers are put into words."""
        return Wording(self.limit, self.language, self.conjunction)

    def split(self, seed: int) -> Split:
        """The numbers of a seed.

        Raises:
            OptionError: when there are too few or too many to train with.
        """
        seed = seed if self.split_seed is None else self.split_seed
        try:
            return split(self.wording, seed, self.train_size, self.validation_size)
        except ValueError as error:
            raise OptionError(f"--train-size {error} for the split of seed {seed}, got {self.train_size}") from None

    @property
    def sizes(self) -> Sizes:
        """Of the network."""
        recipe = self.recipe
        return Sizes(len(self.wording.vocabulary), recipe.embedding, recipe.embedding_std, recipe.hidden, self.scale)

    def label(self) -> str:
        """A short name of the setting."""
        return f"{self.model}-{self.limit}"


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    recipe = config.recipe
    device = config.torch_device()
    second_order = config.model == "multiply-add"
    dtype = torch.float64 if second_order else torch.float32
    data = Data(config.wording, [config.split(seed) for seed in config.seed_range], device, dtype)
    x, y = data.train
    model = Ensemble(lambda: build(config.model, config.sizes), config.seed_range).to(device, dtype)
    best = Best(model)
    adam = Adam(model.parameters())
    newton = LevenbergMarquardt(model, lambda found, right: error(found, right, recipe.loss), neutral(model.member(0)))
    length = x.sum(dim=(2, 3))
    batch = recipe.batch_size or y.shape[1]
    stream = UniformStream(config.seed_range, (batch,))

    @torch.no_grad()
    def snapshot(step: int) -> Snapshot:
        metrics = evaluate(model, data)
        best.update(metrics["interpolation/error"])
        live = {
            "step": step,
            "model": model.state_dict(),
            "optimizer": adam.state_dict(),
            "damping": newton.damping,
            "best": best.state_dict(),
        }
        return Snapshot(
            step,
            metrics,
            model,
            live,
            figures=pictures(config.wording, data, model),
            files={PREDICTIONS: lambda path: write_columns(path, predictions(config, data, best.state_dict()))},
        )

    if state is None:
        start = 0
        yield snapshot(0)
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["optimizer"])
        newton.damping.copy_(state["damping"])
        best.load_state_dict(state["best"])

    for step in range(start, config.steps):
        if second_order:
            known_words = 1 + step // config.curriculum
            if step % config.curriculum == 0 and known_words <= length.max():
                newton.damping.fill_(1.0)
            known = (length <= known_words).to(dtype)
            newton.step(x, y, known, config.penalty if step < PENALIZED * config.steps else 0.0)
        else:
            chosen: slice | tuple[Tensor, Tensor] = slice(None)
            if recipe.batch_size:
                picked = (stream.batch(step).to(device) * y.shape[1]).long()
                chosen = torch.arange(len(model), device=device).unsqueeze(-1), picked
            residual = error(model(x[chosen]), y[chosen], recipe.loss)
            loss = (residual.abs() if recipe.loss == "absolute" else residual.square()).mean(dim=1)
            adam.zero_grad()
            loss.sum().backward()  # the sum over seeds: no seed's gradient depends on its companions
            model.clip_grad_norm_(recipe.clip)
            adam.param_groups[0]["lr"] = recipe.learning_rate * cosine(step, config.steps, WARM_UP)
            adam.step()
        if config.evaluates_at(step + 1):
            yield snapshot(step + 1)


def error(found: Tensor, right: Tensor, loss: Loss) -> Tensor:
    """What the loss is taken of: the error, for a relative loss in parts of 1 + the number."""
    return (found - right) / (1 + right) if loss == "relative" else found - right


def evaluate(model: Ensemble, data: Data) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``: mean absolute errors, and the part of numbers that are right when rounded."""
    metrics = {}
    for name, (x, y) in {"train": data.train, "interpolation": data.validation, "extrapolation": data.test}.items():
        deviation = (model(x) - y).abs()
        metrics[f"{name}/error"] = deviation.mean(dim=1)
        metrics[f"exact/{name}"] = (deviation < 0.5).to(y.dtype).mean(dim=1)
    return {**metrics, "solved": metrics["exact/extrapolation"] == 1}


@torch.no_grad()
def predictions(config: Config, data: Data, best: dict[str, Any]) -> dict[str, np.ndarray]:
    """The test numbers of the seed that validation chooses, and what its network says, ``(numbers,)`` each."""
    x, y = (part[chosen_seed(best)] for part in data.test)
    found = chosen_network(build(config.model, config.sizes), best)(x)
    return {"number": y.cpu().numpy(), "predicted": found.cpu().numpy()}


SMOKE = Config(seeds=3, steps=20, eval_every=10, embedding=8, hidden=4)
