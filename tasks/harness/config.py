"""The options that every task shares; each task's Config extends them.

A Config is frozen data. Its fields are the command line, their docstrings the help, and its dictionary in config.json
is the identity of a run.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from types import NoneType
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

import torch

from tasks.harness.errors import UserError

LARGEST = 2**31 - 1


class OptionError(ValueError):
    """An option's value cannot be used; the message says what was wanted and what was given."""


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

    def due(self, step: int) -> bool:
        """Whether the run is evaluated after ``step`` steps."""
        return step % self.eval_every == 0 or step == self.steps

    @property
    def ticks(self) -> int:
        """The number of evaluations of a whole run, that before the first step included."""
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
        """The same options with the values that defaults of None stand for here."""
        return self

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
