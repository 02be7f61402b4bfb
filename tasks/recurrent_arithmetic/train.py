"""The options and the training loop of recurrent arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from nalu import Adam, CompiledBackward, Ensemble, after_step_, inspection, sparsity_penalty, worth_compiling
from nalu.init import Init
from nalu.schedules import cosine, ramp
from tasks.harness import config as harness
from tasks.harness.config import flag, require
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import curve
from tasks.recurrent_arithmetic.data import Data
from tasks.recurrent_arithmetic.model import BASELINES, Cell, build
from tasks.recurrent_arithmetic.threshold import threshold
from tasks.static_arithmetic.data import Operation, Subsets
from tasks.static_arithmetic.loss import centred_loss, squared_error

LENGTHS = (10, 100, 1000)
"""Of the test sequences; the first is that of training, the last decides what is solved."""
SUBSETS = Subsets(inputs=10, size=2, overlap=1)


@dataclass(frozen=True)
class Recipe:
    """Settings that suit a kind of cell; why, is told in the README."""

    hidden_size: int
    learning_rate: float
    beta2: float
    bias_weight: float


SATURATING = Recipe(hidden_size=2, learning_rate=0.1, beta2=0.95, bias_weight=0.001)
CLIPPED = Recipe(hidden_size=2, learning_rate=0.01, beta2=0.99, bias_weight=0.001)
BASELINE = Recipe(hidden_size=16, learning_rate=0.02, beta2=0.999, bias_weight=0.01)


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn y = f(a, b) from sequences of 10 steps, where a and b are sums over inputs and time; test to 1000 steps."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    op: Operation = "add"
    """The operation f: a + b, a - b, a * b, a / b, a^2 or the square root of a."""
    cell: Cell = "nac"
    """The recurrent cell, or the unit of the output behind the cell it is made for (nac-mul: a NAC with a NAC-mul
    output; nmu: a NAU with an NMU output)."""
    steps: int = 20_000
    """Training steps of every seed (published: 100 000)."""
    batch_size: int = 128
    """Sequences in a batch."""
    eval_size: int = 500
    """Sequences in each of the fixed evaluation sets."""
    hidden_size: int | None = None
    """Size of the state; by default 2, and 16 for lstm, gru, rnn-tanh and rnn-relu."""
    learning_rate: float | None = None
    """The largest of Adam's, after warm-up and before cosine decay; by default 0.1 for nac, nac-mul and nalu, 0.01 for
    nau and nmu, 0.02 for the others (published: 0.001, constant)."""
    warm_up: float = 0.1
    """Over which part of the run the learning rate grows."""
    beta2: float | None = None
    """Adam's decay of the second moment; by default 0.95 for nac, nac-mul, nalu, 0.99 for nau, nmu, else 0.999."""
    bias_weight: float | None = None
    """Training loss: variance of the error in the batch plus this weight times its squared mean; 1 is the mean squared
    error (published); by default 0.01 for lstm, gru, rnn-tanh and rnn-relu, 0.001 for the others."""
    clip: float = 1.0
    """Largest norm of each seed's gradient."""
    penalty: float = 0.01
    """Weight of the sparsity regulariser of NAU and NMU; grows from 60 % to 80 % of the steps."""
    init: Init = "glorot_uniform"
    """Initialisation of NAC and NALU layers; see nalu.init."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("batch_size", "eval_size", "clip")
        for name in ("hidden_size", "learning_rate"):
            if getattr(self, name) is not None:
                self.require_positive(name)
        require(self.batch_size >= 2, f"--batch-size must be at least 2, got {self.batch_size}")
        require(0 <= self.warm_up <= 1, f"--warm-up must lie in [0, 1], got {self.warm_up}")
        require(0 <= (self.beta2 or 0) < 1, f"--beta2 must lie in [0, 1), got {self.beta2}")
        for name in ("bias_weight", "penalty"):
            value = getattr(self, name) or 0.0
            require(0 <= value < math.inf, f"{flag(name)} must be a number that is not negative, got {value}")

    @cached_property
    def recipe(self) -> Recipe:
        """The settings given, else those of the cell."""
        default = BASELINE if self.cell in BASELINES else CLIPPED if self.cell in ("nau", "nmu") else SATURATING
        given = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        return replace(default, **{name: value for name, value in given.items() if value is not None})

    def resolved(self) -> Config:
        """With the settings of the cell where none are given."""
        return replace(self, **asdict(self.recipe))

    def threshold(self, length: int) -> float:
        """The error below which a seed is solved at a test length."""
        return threshold(self.op, SUBSETS, length)

    def label(self) -> str:
        """A short name of the setting."""
        return f"{self.op}-{self.cell}"


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    recipe = config.recipe
    device = config.torch_device()
    data = Data(
        config.op,
        SUBSETS,
        config.seed_range,
        length=LENGTHS[0],
        lengths=LENGTHS,
        batch_size=config.batch_size,
        eval_size=config.eval_size,
        device=device,
    )
    model = Ensemble(lambda: build(config.cell, SUBSETS.inputs, recipe.hidden_size, config.init), config.seed_range).to(
        device
    )
    optimizer = Adam(model.parameters(), betas=(0.9, recipe.beta2))

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        live = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, {"train/loss": loss, **evaluate(config, data, model)}, model, live)

    if state is None:
        start = 0
        x, y = data.batch(0)
        yield snapshot(0, squared_error(model(x), y).detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    def objective(model: nn.Module, uniform: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        x, y = data.examples(uniform)
        prediction = model(x)
        loss = centred_loss(prediction, y, recipe.bias_weight) + weight * sparsity_penalty(model)
        return loss, squared_error(prediction, y)

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))
    for step in range(start, config.steps):
        weight = config.penalty * ramp(step, config.steps, 0.6, 0.8)
        loss = backward(data.uniform(step), torch.tensor(weight, device=device))
        model.clip_grad_norm_(config.clip)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * cosine(step, config.steps, config.warm_up)
        optimizer.step()
        after_step_(model)
        if config.evaluates_at(step + 1):
            yield snapshot(step + 1, loss)


@torch.no_grad()
def evaluate(config: Config, data: Data, model: Ensemble) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``."""
    model.eval()  # units that draw noise draw none
    x, y = data.validation
    interpolation = squared_error(model(x, shared=True), y)
    errors = {n: squared_error(model(inputs, shared=True), targets) for n, (inputs, targets) in data.test.items()}
    model.train()
    longest = LENGTHS[-1]
    return {
        "interpolation/error": interpolation,
        "extrapolation/error": errors[longest],
        "solved": errors[longest] < config.threshold(longest),
        "weights/sparsity": inspection.sparsity_error(model),
        **{curve(n): error for n, error in errors.items()},
    }


SMOKE = Config(seeds=3, steps=20, eval_every=10, eval_size=20)
