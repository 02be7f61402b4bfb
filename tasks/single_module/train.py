"""The options and the training loop of the single-module benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import Tensor, nn

from nalu import Adam, CompiledBackward, Ensemble, Restart, after_step_, inspection, regularizer, worth_compiling
from nalu.units.catalogue import BinaryOperation, UnitName
from tasks.harness import config as harness
from tasks.harness.config import require
from tasks.harness.contract import Snapshot, State
from tasks.single_module.data import Data
from tasks.single_module.model import build
from tasks.single_module.ranges import RANGES, Range, RangeName
from tasks.single_module.recipes import Recipe, recipe
from tasks.single_module.threshold import EPSILON, threshold

EVAL_CHUNK = 512
"""Examples of an evaluation that are computed at a time."""


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn y = a op b with one unit, on nine ranges at once, and extrapolate from each."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    op: BinaryOperation = "add"
    """The operation: a + b, a - b, a * b or a / b."""
    cell: UnitName = "nac"
    """The unit."""
    steps: int = 50_000
    """Training steps of every seed and range."""
    batch_size: int = 128
    """Examples in a batch."""
    input_size: int = 2
    """Number of inputs, of which two matter; published: 2, 10 and 100."""
    ranges: tuple[RangeName, ...] = get_args(RangeName)
    """Where the inputs of training lie; every range is trained with every seed."""
    eval_size: int = 10_000
    """Examples in each of the fixed evaluation sets, two a range."""
    learning_rate: float | None = None
    """Of Adam; by default as published for the unit: 0.005 for npu and realnpu, 0.001 for others."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("batch_size", "eval_size")
        require(
            2 <= self.input_size <= harness.LARGEST,
            f"--input-size must lie in 2..{harness.LARGEST}, got {self.input_size}",
        )
        require(len(self.ranges) > 0, "--ranges must name at least one range, got none")
        unknown = [name for name in self.ranges if name not in RANGES]
        require(not unknown, f"--ranges must be among {', '.join(RANGES)}, got {', '.join(map(str, unknown))}")
        require(len(set(self.ranges)) == len(self.ranges), f"--ranges must differ, got {' '.join(self.ranges)}")
        if self.learning_rate is not None:
            self.require_positive("learning_rate")

    @property
    def recipe(self) -> Recipe:
        """How the unit is trained: as published, but for what is given."""
        published = recipe(self.cell, self.op)
        return published if self.learning_rate is None else replace(published, learning_rate=self.learning_rate)

    def resolved(self) -> Config:
        """With the learning rate of the unit where none is given."""
        return replace(self, learning_rate=self.recipe.learning_rate)

    def bounds(self) -> list[Range]:
        """The ranges by their names."""
        return [RANGES[name] for name in self.ranges]

    def threshold(self, name: RangeName, epsilon: float) -> float:
        """The extrapolation error of a range below which a seed is solved."""
        return threshold(self.op, RANGES[name].test, self.input_size, epsilon)

    def label(self) -> str:
        """A short name of the setting."""
        return f"{self.op}-{self.cell}" + ("" if self.input_size == 2 else f"-{self.input_size}-inputs")


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all ranges and seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    recipe = config.recipe
    data = Data(
        config.op,
        config.bounds(),
        config.seed_range,
        inputs=config.input_size,
        batch_size=config.batch_size,
        eval_size=config.eval_size,
        device=device,
    )
    model = Ensemble(lambda: build(config.cell, config.input_size), [*config.seed_range] * len(config.ranges)).to(
        device
    )
    optimizer = Adam(model.parameters(), lr=recipe.learning_rate)
    restart = Restart(model, optimizer) if recipe.restarts else None

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        live = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        if restart is not None:
            live["restart"] = restart.state_dict()
        return Snapshot(step, evaluate(config, data, model, loss), model, live)

    if state is None:
        start = 0
        x, y = data.batch(0)
        yield snapshot(0, squared_error(model(x), y).detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if restart is not None:
            restart.load_state_dict(state["restart"])

    def objective(model: nn.Module, uniform: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        x, y = data.examples(uniform)
        loss = squared_error(model(x), y)
        if recipe.penalty is None:
            return loss, loss
        return loss + weight * regularizer(model) * (loss.detach() < recipe.penalty_below), loss

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))
    for step in range(start, config.steps):
        weight = torch.tensor(recipe.penalty_at(step / config.steps), device=device)
        loss = backward(data.uniform(step), weight)
        if recipe.clip_gradient is not None:
            torch.nn.utils.clip_grad_value_(model.parameters(), recipe.clip_gradient)
        optimizer.step()
        after_step_(model)
        if restart is not None:
            restart(loss)
        if config.evaluates_at(step + 1):
            yield snapshot(step + 1, loss)


@torch.no_grad()
def evaluate(config: Config, data: Data, model: Ensemble, loss: Tensor) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``: each on its worst range, and by range as ``<metric>/<range>``."""
    model.eval()  # units that draw noise draw none
    interpolation = evaluation_error(model, *data.validation)
    extrapolation = evaluation_error(model, *data.extrapolation)
    model.train()
    thresholds = [config.threshold(name, EPSILON) for name in config.ranges]
    by_range = {
        "interpolation/error": interpolation,
        "extrapolation/error": extrapolation,
        "weights/sparsity": inspection.sparsity_error(model).view_as(extrapolation),
    }
    solved = extrapolation < extrapolation.new_tensor(thresholds).unsqueeze(1)
    return {
        "train/loss": loss.view_as(extrapolation).amax(dim=0),
        **{name: values.amax(dim=0) for name, values in by_range.items()},
        "solved": solved.all(dim=0),
        **{
            f"{name}/{bounds}": row
            for name, values in {**by_range, "solved": solved}.items()
            for bounds, row in zip(config.ranges, values, strict=True)
        },
    }


def evaluation_error(model: Ensemble, x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of every member, ``(R, S)``, on ``(R, N, inputs)`` and ``(R, N, 1)`` examples.

    In chunks, which need little memory and stay in a processor's cache.
    """
    ranges, examples, _ = x.shape
    seeds = len(model) // ranges
    total = x.new_zeros(len(model))
    for inputs, targets in zip(x.split(EVAL_CHUNK, dim=1), y.split(EVAL_CHUNK, dim=1), strict=True):
        prediction = model(inputs.repeat_interleave(seeds, dim=0))
        total += (prediction - targets.repeat_interleave(seeds, dim=0)).square().sum(dim=(1, 2))
    return (total / examples).view(ranges, seeds)


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of every member, ``(M, B, 1) -> (M,)``."""
    return (prediction - target).square().mean(dim=(1, 2))


SMOKE = Config(
    op="add",
    cell="nac",
    seeds=3,
    steps=40,
    eval_every=20,
    eval_size=200,
    learning_rate=0.02,
    ranges=("U-2..2", "U1..2"),
)
