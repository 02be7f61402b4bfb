"""The options of the blog's example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from nalu.init import Init
from nalu.schedules import cosine
from nalu.units.catalogue import UNITS
from tasks.blog_example.published import ARTICLE_EXAMPLES, ARTICLE_TEST_LOSS
from tasks.harness import config as harness
from tasks.harness.cells import check_cell, choice, short_name
from tasks.harness.config import require

Cell = Annotated[str, choice(tuple(UNITS))]


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn to add 10 numbers from fixed examples in [0, 10], as the article does; test in [0, 100]."""

    GPU_SEEDS = 20  # one H100: 0.28 ms a step, against 4.0 ms on one CPU core; see benchmarks/README.md
    BEFORE: ClassVar[dict[str, Any]] = {**harness.Config.BEFORE, "cell": "nalu"}

    cell: Cell = "nalu"
    """Unit of both layers; the article's is nalu, which alone has --gate-bias and --separate-weights."""
    steps: int = 50_000
    """Full-batch training steps per seed."""
    eval_every: int = 500
    """Steps between two evaluations; the last step is always evaluated."""
    examples: int = ARTICLE_EXAMPLES
    """Number of training examples; the validation and test sets have the same size."""
    learning_rate: float = 0.1
    """Learning rate of Adam."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Constant learning rate (the article), or warm-up over a tenth of the run, then cosine decay to 0."""
    init: Init = "truncated_normal"
    """Initialisation of both NALU layers; see nalu.init."""
    gate_bias: float | None = None
    """Initial bias of the gates; positive favours the additive path; by default no bias (the article)."""
    separate_weights: bool = False
    """Give the multiplicative path its own weights; the article ties them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell("--cell", self.cell, tuple(UNITS))
        if self.cell != "nalu":
            require(self.gate_bias is None, f"--gate-bias needs --cell nalu, got {self.cell}")
            require(not self.separate_weights, f"--separate-weights needs --cell nalu, got {self.cell}")
        self.require_positive("examples", "learning_rate")
        require(self.examples <= 10**7, f"--examples must lie in 1..10000000, got {self.examples}")
        bias = self.gate_bias or 0.0
        require(abs(bias) <= 1000, f"--gate-bias must lie in [-1000, 1000], got {bias}")

    @property
    def unit_name(self) -> str:
        """The cell."""
        return self.cell

    @property
    def target_loss(self) -> float:
        """The article's test loss, scaled to the number of test examples."""
        return ARTICLE_TEST_LOSS * self.examples / ARTICLE_EXAMPLES

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.learning_rate * (cosine(step, self.steps, warm_up=0.1) if self.schedule == "cosine" else 1.0)

    def label(self) -> str:
        """A short name of the configuration."""
        cell = "" if self.cell == "nalu" else f"{short_name(self.cell)}-"
        return f"{cell}{self.init}-{self.schedule}-{self.examples}"


SMOKE = Config(seeds=3, steps=20, eval_every=10, examples=100, learning_rate=0.001)
