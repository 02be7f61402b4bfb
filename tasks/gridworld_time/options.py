"""The options of the grid world, and the defaults of each kind of agent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from tasks.gridworld_time.design import ACCUMULATORS, Counts, Design, InstructionAt, InstructionPath, Memory, Unit
from tasks.gridworld_time.world.dynamics import STARTS, Rules
from tasks.gridworld_time.world.rendering import Observation
from tasks.harness import config as harness
from tasks.harness.cells import check_cell, short_name
from tasks.harness.config import require

TRAINED = range(5, 13)
"""The T of training and of the interpolation error."""
FAR = range(13, 41)
"""The T of the extrapolation error."""
TIMES = (*range(1, 41), 60, 100, 300, 1000)
"""The T of the curves."""


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters for one kind of agent; the README describes how they were chosen."""

    memory: Memory
    units: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Step on the red square exactly at time T; train with T from 5 to 12, test far beyond."""

    observation: Observation = "symbolic"
    """The observation: two planes of 5 x 5 (agent, target), or a picture of 56 x 56 pixels."""
    instruction_path: InstructionPath = "lstm"
    """How T reaches the agent: into the LSTM; also through a NAC into the LSTM (as published); or only into an
    accumulator that the policy reads."""
    instruction_at: InstructionAt = "every-step"
    """With paths lstm and nac: T is an input at every step, or only at the start and 0 later."""
    memory: Memory | None = None
    """lstm or none; by default lstm, with an accumulator none."""
    unit: Unit = "ternary"
    """The accumulator's unit: ternary (weights -1, 0, 1), linear (unconstrained), oracle (fixed: T - t) or a unit."""
    units: int | None = None
    """Outputs of the unit in the accumulator, by default 4 (oracle: 1), or of the NAC, by default 1."""
    counts: Counts = "time"
    """The accumulator's input after the first step: a constant 1, the last action (one-hot) or the LSTM's state."""
    clip_reading: bool = True
    """In tests, clip the accumulator's value for the policy to its range in greedy episodes with T from 5 to 12."""
    hidden_size: int = 64
    """Hidden size of the encoder, of the LSTM and of the layer that reads the accumulator."""
    seeds: int = 5
    """How many seeds are trained at once."""
    steps: int = 2500
    """Training steps of every seed; each uses a batch of whole episodes, about 1100 environment steps."""
    eval_every: int = 1250
    """Steps between two evaluations; the last step is always evaluated."""
    eval_longest: int = 100
    """Evaluate T up to this one, among 1 to 40, 60, 100, 300 and 1000."""
    eval_starts: int = STARTS
    """Starts for each T in the last evaluation, spread evenly over all 600; earlier evaluations use a tenth."""
    episodes: int = 128
    """Episodes in a batch."""
    learning_rate: float | None = None
    """Adam's initial learning rate, falling linearly to a tenth; by default 0.005, with pixels 0.003."""
    entropy: float = 0.02
    """Initial weight of the entropy bonus, changing linearly to --entropy-last."""
    entropy_last: float = 0.0
    """Final weight of the entropy bonus."""
    gae_lambda: float = 0.95
    """Lambda of generalised advantage estimation."""
    value_weight: float = 0.5
    """Weight of the squared error of the value."""
    clip: float = 1.0
    """Largest gradient norm of each seed's encoder, and of its core."""
    maximum: float = 1.0
    """The reward of arriving exactly at time T."""
    patience: int = 2
    """Episodes end at this multiple of T."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell("--unit", self.unit, ACCUMULATORS)
        self.require_positive("hidden_size", "episodes", "clip", "maximum", "patience", "eval_longest", "eval_starts")
        for name in ("units", "learning_rate"):
            if getattr(self, name) is not None:
                self.require_positive(name)
        for name in ("entropy", "entropy_last", "value_weight"):
            value = getattr(self, name)
            require(0 <= value < float("inf"), f"{harness.flag(name)} must be finite and at least 0, got {value}")
        require(0 <= self.gae_lambda <= 1, f"--gae-lambda must lie in [0, 1], got {self.gae_lambda}")
        require(self.eval_longest >= 13, f"--eval-longest must be at least 13, got {self.eval_longest}")
        require(self.eval_starts <= STARTS, f"--eval-starts must lie in 1..{STARTS}, got {self.eval_starts}")
        require(
            self._has_accumulator or self.memory != "none",
            f"--memory none needs --instruction-path accumulator, got {self.instruction_path}",
        )
        require(
            self.counts != "state" or self.recipe.memory == "lstm",
            "--counts state needs --memory lstm",
        )

    @property
    def _has_accumulator(self) -> bool:
        return self.instruction_path == "accumulator"

    @cached_property
    def recipe(self) -> Recipe:
        """The given settings, otherwise the defaults of the kind of agent."""
        default = Recipe(
            memory="none" if self._has_accumulator else "lstm",
            units=4 if self._has_accumulator and self.unit != "oracle" else 1,
            learning_rate=0.003 if self.observation == "pixels" else 0.005,
        )
        return self.chosen(default)

    def resolved(self) -> Config:
        """The same options, with the defaults of the kind of agent where none are given."""
        return self.with_defaults(self.recipe)

    @property
    def design(self) -> Design:
        """The architecture of the agent."""
        return Design(
            observation=self.observation,
            instruction_path=self.instruction_path,
            instruction_at=self.instruction_at,
            memory=self.recipe.memory,
            unit=self.unit,
            units=self.recipe.units,
            counts=self.counts,
            hidden_size=self.hidden_size,
        )

    @property
    def rules(self) -> Rules:
        """The reward and the time limit of the world."""
        return Rules(self.maximum, self.patience)

    @property
    def times(self) -> tuple[int, ...]:
        """The T of the evaluations."""
        return tuple(takewhile(self.eval_longest.__ge__, TIMES))

    @property
    def unit_name(self) -> str | None:
        """The unit of the accumulator."""
        return self.unit if self._has_accumulator else None

    def label(self) -> str:
        """A short name of the setting."""
        name = f"{self.observation}-{self.instruction_path}"
        if self._has_accumulator:
            return f"{name}-{short_name(self.unit)}-{self.recipe.units}-{self.counts}"
        return f"{name}-once" if self.instruction_at == "start" else name


SMOKE = Config(
    instruction_path="accumulator",
    unit="oracle",
    seeds=3,
    steps=150,
    eval_every=75,
    episodes=64,
    learning_rate=0.01,
    hidden_size=32,
    eval_longest=13,
    eval_starts=60,
)
