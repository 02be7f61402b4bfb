"""The options of number words to numbers, and the default hyperparameters of each model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from nalu.units.catalogue import UNITS
from tasks.harness import config as harness
from tasks.harness.cells import check_cell, short_name
from tasks.harness.config import require
from tasks.harness.errors import OptionError
from tasks.number_translation.data import Language, Split, Wording, split
from tasks.number_translation.model import KINDS, Kind, Sizes, unit_of

Loss = Literal["squared", "absolute", "relative"]


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters for one kind of model; see README, Deviations."""

    embedding: int
    embedding_std: float
    hidden: int
    learning_rate: float
    loss: Loss
    batch_size: int
    """0 for all examples."""
    clip: float


RECURRENT = Recipe(
    embedding=32, embedding_std=0.05, hidden=10, learning_rate=0.01, loss="absolute", batch_size=32, clip=10.0
)
RECIPES: dict[str, Recipe] = {
    "transformer": replace(RECURRENT, hidden=32, learning_rate=0.003),
    "nalu-cell": replace(
        RECURRENT, embedding=4, hidden=1, learning_rate=0.05, loss="squared", batch_size=0, clip=1000.0
    ),
    "multiply-add": replace(RECURRENT, embedding_std=0.1, hidden=1, loss="relative", batch_size=0),
}


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn to read numbers in words from 169 of 1000 examples."""

    model: Kind = "lstm"
    """lstm, gru, transformer: with a linear output. lstm-nac, lstm-nalu, lstm-UNIT, gru-UNIT: with the unit on the last
    state. nalu-cell: a recurrent NALU. multiply-add: each word multiplies the state and adds to it."""
    seeds: int = 32
    """How many seeds are trained at once."""
    steps: int = 6000
    """Training steps of every seed; 120 suffice for multiply-add, which uses a second-order optimiser."""
    eval_every: int = 500
    """Steps between two evaluations; the last step is always evaluated."""
    split_seed: int | None = None
    """Random seed of one split of the numbers for all seeds; by default each seed has a split of its own."""
    limit: int = 1000
    """The numbers are those from 0 to below this limit."""
    language: Language = "en"
    """Language of the number words."""
    conjunction: bool = True
    """Whether to keep the English "and"."""
    train_size: int = 169
    """How many numbers are in the training set."""
    validation_size: int = 200
    """How many numbers are in the validation set, which chooses the step."""
    embedding: int | None = None
    """Embedding size; by default 4 for nalu-cell, else 32. multiply-add and transformer ignore it."""
    embedding_std: float | None = None
    """Initial standard deviation of the embedding, by default 0.05; for multiply-add with hidden size 2 or more, of the
    noise on its weights, by default 0.1."""
    hidden: int | None = None
    """Hidden size; by default 32 for transformer, 1 for nalu-cell and multiply-add, else 10."""
    scale: float = 1000.0
    """Factor of the outputs of lstm, gru and transformer."""
    loss: Loss | None = None
    """Mean absolute error (default), squared error (default of nalu-cell), or relative: the square of error /
    (1 + number) (default of multiply-add)."""
    learning_rate: float | None = None
    """Adam's learning rate, before cosine decay; by default 0.003 for transformer, 0.05 for nalu-cell, else 0.01."""
    batch_size: int | None = None
    """Examples in a batch, or 0 for all; by default 0 for nalu-cell and multiply-add, else 32."""
    clip: float | None = None
    """Largest gradient norm of each seed; by default 1000 for nalu-cell, else 10."""
    curriculum: int = 10
    """multiply-add: number of steps after which the training set is extended to examples with one more word."""
    penalty: float = 1e-4
    """multiply-add: weight of the penalty on words that change the state; 0 after three quarters of the run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit_name is None:
            require(
                self.model in KINDS,
                f"--model must be one of {', '.join(KINDS)}, lstm-UNIT or gru-UNIT, got {self.model}",
            )
        else:
            check_cell("the UNIT of --model", self.unit_name, tuple(UNITS))
        self.require_positive("limit", "train_size", "validation_size", "scale", "curriculum")
        for name in ("embedding", "embedding_std", "hidden", "learning_rate", "clip"):
            if getattr(self, name) is not None:
                self.require_positive(name)
        for name in ("train_size", "validation_size"):  # bounded, because every number is converted to words
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
        """The hyperparameters: those given, else the defaults of the model."""
        return self.chosen(RECIPES.get(self.model, RECURRENT))

    def resolved(self) -> Config:
        """The same options, with the default hyperparameters of the model filled in."""
        return self.with_defaults(self.recipe)

    @property
    def wording(self) -> Wording:
        """The wording of the numbers."""
        return Wording(self.limit, self.language, self.conjunction)

    def split(self, seed: int) -> Split:
        """The numbers of a seed.

        Raises:
            OptionError: when ``train_size`` is too small to contain every word, or leaves no numbers for the test.
        """
        seed = seed if self.split_seed is None else self.split_seed
        try:
            return split(self.wording, seed, self.train_size, self.validation_size)
        except ValueError as error:
            raise OptionError(f"--train-size {error} for the split of seed {seed}, got {self.train_size}") from None

    @property
    def sizes(self) -> Sizes:
        """The sizes of the network."""
        recipe = self.recipe
        return Sizes(len(self.wording.vocabulary), recipe.embedding, recipe.embedding_std, recipe.hidden, self.scale)

    @property
    def unit_name(self) -> str | None:
        """The unit on the last state."""
        return unit_of(self.model)

    def label(self) -> str:
        """A short name of the setting."""
        unit = unit_of(self.model)
        model = self.model if unit is None else self.model.removesuffix(unit) + short_name(unit)
        return f"{model}-{self.limit}"


SMOKE = Config(seeds=3, steps=20, eval_every=10, embedding=8, hidden=4)
"""A setting that trains in seconds and exercises everything."""
