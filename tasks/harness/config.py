"""The options that every task shares and that identify a run; each task's Config extends them.

The options of where and how it is trained (``--out``, ``--processes``, ``--resume``) are ``RunOptions`` in
``cli/main.py``.

A Config is frozen data. Its fields are the command-line options, their docstrings are the help, and its dictionary in
config.json identifies a run.
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

Generator = Literal["sfc64", "philox"]
"""A random number generator of training data; see ``streams``."""
LARGEST = 2**31 - 1


def require(condition: bool, message: str) -> None:
    """Raise an OptionError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise OptionError(message)


def has_gpu() -> bool:
    """Whether torch can use a GPU here."""
    return torch.cuda.is_available()


def flag(name: str) -> str:
    """The command-line spelling of a field."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options common to all tasks."""

    seeds: int = 25
    """Number of random seeds trained at once."""
    first_seed: int = 0
    """First random seed; the others follow consecutively."""
    steps: int = 10_000
    """Training steps per seed."""
    eval_every: int = 1000
    """Steps between two evaluations; the last step is always evaluated."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device to train on; auto uses a GPU only where this task was measured to be faster on one."""
    generator: Literal["auto", "sfc64", "philox"] = "auto"
    """Random number generator of the training data; auto is philox on a GPU and sfc64 on a CPU."""

    BEFORE: ClassVar[dict[str, Any]] = {"generator": "sfc64"}
    """The values of options in records that are older than the option. They do not change the name of a directory."""
    GPU_SEEDS: ClassVar[int | None] = None
    """From this number of seeds on, the task was measured to be faster on a GPU than on one CPU core; None: never."""
    SCALE: ClassVar[tuple[str, ...]] = ("seeds", "first_seed", "steps", "eval_every", "device", "generator")
    """Options that set the amount of work, not the problem; tables show them in own columns. Tasks may add some."""

    def __post_init__(self) -> None:
        self.require_positive("seeds", "steps", "eval_every")
        last = LARGEST - self.seeds
        require(0 <= self.first_seed <= last, f"--first-seed must lie in 0..{last}, got {self.first_seed}")

    def require_positive(self, *names: str) -> None:
        """Raise an OptionError unless all these options are above 0 and finite, and integers at most ``LARGEST``."""
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
        """Whether the run is evaluated after ``step`` steps. A training loop calls this once after every step."""
        return step % self.eval_every == 0 or step == self.steps

    @property
    def num_evaluations(self) -> int:
        """The number of evaluations of a complete run, including the one before the first step."""
        return 1 + -(-self.steps // self.eval_every)

    def torch_device(self) -> torch.device:
        """The torch device that the option ``device`` selects on this machine.

        Raises:
            UserError: when a GPU is requested and none is available.
        """
        if self.device == "cuda" and not has_gpu():
            raise UserError("--device cuda needs a GPU that torch can use, but there is none; use --device cpu")
        if self.device != "auto":
            return torch.device(self.device)
        faster_on_gpu = self.GPU_SEEDS is not None and self.seeds >= self.GPU_SEEDS
        return torch.device("cuda" if faster_on_gpu and has_gpu() else "cpu")

    @property
    def data_generator(self) -> Generator:
        """The random number generator of the training data."""
        if self.generator != "auto":
            return self.generator
        return "philox" if self.torch_device().type == "cuda" else "sfc64"

    @property
    def unit_name(self) -> str | None:
        """The unit that is trained, which may be one of the user's package (see ``cells``); None without a unit."""
        return None

    def label(self) -> str:
        """A short name of the configuration, for directories and tables; it need not be unique."""
        return f"{self.seeds}-seeds"

    def resolved(self) -> Self:
        """The same options, with every None that stands for a default replaced by its value."""
        return self

    def with_defaults(self, recipe: DataclassInstance) -> Self:
        """The same options, with each None replaced by the field of the same name in ``recipe``."""
        names = [field.name for field in fields(recipe)]
        return replace(self, **{name: getattr(recipe, name) for name in names if getattr(self, name) is None})

    def chosen(self, recipe: R) -> R:
        """The recipe, with its fields replaced by the options of the same name that are given (not None)."""
        given = {field.name: getattr(self, field.name) for field in fields(recipe)}
        return replace(recipe, **{name: value for name, value in given.items() if value is not None})

    def to_dict(self) -> dict[str, Any]:
        """The resolved options as JSON values. Two runs are the same if these are equal."""
        values = asdict(replace(self.resolved(), generator=self.data_generator))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The options from the dictionary that :meth:`to_dict` made.

        Raises:
            OptionError: when an option is unknown or its value is invalid.
        """
        require(isinstance(values, dict), f"options must be an object, got {values!r}")
        values = cls.BEFORE | values
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        require(not unknown, f"unknown option {', '.join(unknown)}")
        kinds = get_type_hints(cls)
        for name, value in values.items():
            require(_is_a(value, kinds[name]), f"{flag(name)} cannot be {value!r}")
        options: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
        return cls(**options)


def _is_a(value: Any, kind: Any) -> bool:
    """Whether a JSON value has the type of a field's annotation."""
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
