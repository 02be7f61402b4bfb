"""The options that every task shares; each task's Config extends them.

A Config is frozen data. Its fields are the command line, their docstrings the help, and its dictionary in config.json
is the identity of a run.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

import torch

from tasks.harness.errors import OptionError, UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")

LARGEST = 2**31 - 1


def require(condition: bool, message: str) -> None:
    """Raise an OptionError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise OptionError(message)


def flag(name: str) -> str:
    """The command line's spelling of a field."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options common to all tasks."""

    seeds: int = 25
    """How many seeds are trained at once."""
    first_seed: int = 0
    """The first of the consecutive seeds."""
    steps: int = 10_000
    """Training steps of every seed."""
    eval_every: int = 1000
    """Steps between two evaluations; the last step is always evaluated."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU if there is one."""

    SCALE: ClassVar[tuple[str, ...]] = ("seeds", "first_seed", "steps", "eval_every", "device")
    """Options that say how much is done, not what; tables show them in columns of their own. A task may add some."""

    def __post_init__(self) -> None:
        self.require_positive("seeds", "steps", "eval_every")
        last = LARGEST - self.seeds
        require(0 <= self.first_seed <= last, f"--first-seed must lie in 0..{last}, got {self.first_seed}")

    def require_positive(self, *names: str) -> None:
        """Raise an OptionError unless every one of these options is above 0 and not too large to count with."""
        for name in names:
            value = getattr(self, name)
            if isinstance(value, int):
                require(1 <= value <= LARGEST, f"{flag(name)} must lie in 1..{LARGEST}, got {value}")
            else:
                require(0 < value < math.inf, f"{flag(name)} must be above 0, got {value}")

    @property
    def seed_range(self) -> range:
        """The seeds of the run."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def evaluates_at(self, step: int) -> bool:
        """Whether the run is evaluated after ``step`` steps. A training loop asks this once after every step."""
        return step % self.eval_every == 0 or step == self.steps

    @property
    def num_evaluations(self) -> int:
        """The number of evaluations of a whole run, including the one before the first step."""
        return 1 + -(-self.steps // self.eval_every)

    def torch_device(self) -> torch.device:
        """The device that ``device`` stands for here.

        Raises:
            UserError: when a GPU is asked for and there is none.
        """
        if self.device == "cuda" and not torch.cuda.is_available():
            raise UserError("--device cuda needs a GPU that torch can use, and there is none; use --device cpu")
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)

    def label(self) -> str:
        """A short name of the setting, for directories and tables; it identifies nothing."""
        return f"{self.seeds}-seeds"

    def resolved(self) -> Self:
        """The same options, with a value in the place of every None that stands for a default."""
        return self

    def with_defaults(self, recipe: DataclassInstance) -> Self:
        """The same options; those that are None are taken from the field of the same name of ``recipe``."""
        names = [field.name for field in fields(recipe)]
        return replace(self, **{name: getattr(recipe, name) for name in names if getattr(self, name) is None})

    def chosen(self, recipe: R) -> R:
        """The recipe, with the options that are given (not None) in the place of its fields of the same name."""
        given = {field.name: getattr(self, field.name) for field in fields(recipe)}
        return replace(recipe, **{name: value for name, value in given.items() if value is not None})

    def to_dict(self) -> dict[str, Any]:
        """The resolved options as JSON values: what makes two runs the same."""
        values = asdict(self.resolved())
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The resolved options from :meth:`to_dict`.

        Raises:
            OptionError: when an option is unknown or its value cannot be used.
        """
        require(isinstance(values, dict), f"options must be an object, got {values!r}")
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        require(not unknown, f"unknown option {', '.join(unknown)}")
        kinds = get_type_hints(cls)
        for name, value in values.items():
            require(_is_a(value, kinds[name]), f"{flag(name)} cannot be {value!r}")
        options: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
        return cls(**options)


def _is_a(value: Any, kind: Any) -> bool:
    """Whether a JSON value is one of the type that a field is annotated with."""
    alternatives = get_args(kind)
    if get_origin(kind) is Literal:
        return value in alternatives
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(_is_a(item, alternatives[0]) for item in value)
    if alternatives:
        return any(_is_a(value, alternative) for alternative in alternatives)
    if kind is float:
        return type(value) in (float, int)
    return value is None if kind is NoneType else type(value) is kind  # a bool is no int here
