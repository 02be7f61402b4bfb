"""The options and the training loop of static arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, partial
from typing import Literal

import torch
from torch import Tensor

from nalu import (
    Adam,
    CompiledBackward,
    Ensemble,
    after_step_,
    inspection,
    project_gradients_,
    sparsity_penalty,
    worth_compiling,
)
from nalu.init import Init
from nalu.schedules import cosine, ramp
from nalu.training.mean_split import INPUTS, OUTPUTS, MeanSplit
from tasks.harness import config as harness
from tasks.harness.config import flag, require
from tasks.harness.contract import Snapshot, State
from tasks.static_arithmetic import gated_heads, heads
from tasks.static_arithmetic.data import Data, Operation, Subsets
from tasks.static_arithmetic.loss import centred_loss, squared_error
from tasks.static_arithmetic.model import Cell, build
from tasks.static_arithmetic.threshold import threshold

LARGEST_INPUT = 1e6

Split = Literal["none", "inputs", "units"]
"""Along which axes of the weights the optimiser sees means apart from differences."""


@dataclass(frozen=True)
class Recipe:
    """Optimiser settings that suit a kind of cell; why, is told in the README."""

    learning_rate: float
    beta1: float
    beta2: float
    penalty: float = 0.0
    """Weight of the sparsity regulariser, as published."""
    mean_split: Split = "none"
    warm_up: float = 0.0


SATURATING = Recipe(learning_rate=0.1, beta1=0.9, beta2=0.95)
LINEAR = Recipe(learning_rate=0.1, beta1=0.99, beta2=0.99)
HEADS = Recipe(learning_rate=0.02, beta1=0.9, beta2=0.99, mean_split="units", warm_up=1 / 30)
RECIPES = {
    "nac": SATURATING,
    "nac-mul": SATURATING,
    "nalu": SATURATING,
    "nau": Recipe(learning_rate=0.03, beta1=0.99, beta2=0.99, penalty=0.01),
    "nmu": Recipe(learning_rate=0.03, beta1=0.99, beta2=0.99, penalty=10.0),
    "heads": HEADS,
    "gated-heads": HEADS,
}
"""By cell; LINEAR for the others."""


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn y = f(a, b), where a and b are sums of two fixed subsets of the inputs, and extrapolate."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    op: Operation = "add"
    """The operation f: a + b, a - b, a * b, a / b, a^2 or the square root of a."""
    cell: Cell = "nalu"
    """The unit of both layers, or of the second one behind the unit it is made for (nac-mul: NAC then NAC-mul; nmu: NAU
    then NMU), or the activation of an MLP; or heads, three small networks of which validation chooses one; or
    gated-heads, the same on one first layer, of which a gate chooses."""
    steps: int = 50_000
    """Training steps of every seed; the published setting has 5 000 000."""
    batch_size: int = 128
    """Examples in a batch."""
    input_size: int = 100
    """Number of inputs."""
    hidden_size: int = 2
    """Width of the hidden layer."""
    subset_ratio: float = 0.25
    """Size of each subset as a part of the inputs."""
    overlap_ratio: float = 0.5
    """Part of a subset that the other one shares."""
    interpolation_range: tuple[float, ...] = (1.0, 2.0)
    """Range of the inputs in training and validation: LOW HIGH, or LOW HIGH LOW HIGH for two intervals."""
    extrapolation_range: tuple[float, ...] = (2.0, 6.0)
    """Range of the inputs in the extrapolation test."""
    eval_size: int = 10_000
    """Examples in each of the two fixed evaluation sets."""
    optimizer: Literal["adam", "sgd", "momentum"] = "adam"
    """Adam, plain SGD, or SGD with momentum 0.9."""
    learning_rate: float | None = None
    """At the start; by default 0.02 for heads, 0.03 for nau and nmu, 0.1 for the others (published: 0.001)."""
    warm_up: float | None = None
    """Over which part of the run the learning rate grows; by default 1/30 for heads, else 0."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Cosine decay to 0 over the run, or constant (published)."""
    beta1: float | None = None
    """Adam's decay of the first moment; by default 0.9 for nac, nac-mul, nalu and heads, 0.99 for others (published:
    0.9)."""
    beta2: float | None = None
    """Adam's decay of the second moment; by default 0.95 for nac, nac-mul and nalu, else 0.99 (published: 0.999)."""
    mean_split: Split | None = None
    """Optimise means of weights apart from their differences: over the inputs of each layer, or over its inputs and
    units; by default units for heads, else none."""
    bias_weight: float = 1.0
    """Training loss: variance of the error in the batch plus this weight times its squared mean; 1 is the mean squared
    error (published). heads have losses of their own."""
    exponents: heads.Exponents = "given"
    """Of heads: given: they start at 1 and keep their difference; learned: they start at 0.3, and nothing is kept."""
    penalty: float | None = None
    """Weight of the sparsity regulariser; by default as published: 0.01 for nau, 10 for nmu."""
    penalty_start: float = 0.6
    """When the regulariser begins to grow, as a part of the steps (published: 0.2 for nmu, 0.001 for nau)."""
    penalty_end: float = 0.8
    """When it has grown to its full weight (published: 0.4 for nmu, 0.01 for nau)."""
    init: Init = "madsen_johansen"
    """Initialisation of NAC and NALU layers; see nalu.init."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("batch_size", "input_size", "hidden_size", "eval_size")
        # The threshold is simulated, with a million examples.
        require(self.input_size <= 1000, f"--input-size must lie in 1..1000, got {self.input_size}")
        for name in ("interpolation_range", "extrapolation_range"):
            _require_range(name, getattr(self, name), lowest=0.0 if self.op == "root" else -LARGEST_INPUT)
        require(0 < self.subset_ratio <= 1, f"--subset-ratio must lie in (0, 1], got {self.subset_ratio}")
        require(0 <= self.overlap_ratio <= 1, f"--overlap-ratio must lie in [0, 1], got {self.overlap_ratio}")
        require(
            self.subsets.size >= 1 and self.subsets.span <= self.input_size,
            f"--subset-ratio and --overlap-ratio must give two subsets that fit into --input-size {self.input_size}, "
            f"got {self.subsets.size} inputs each, {self.subsets.overlap} of them shared",
        )
        if self.learning_rate is not None:
            self.require_positive("learning_rate")
        require(0 <= (self.warm_up or 0) <= 1, f"--warm-up must lie in [0, 1], got {self.warm_up}")
        require(
            0 <= self.bias_weight < math.inf,
            f"--bias-weight must be a number that is not negative, got {self.bias_weight}",
        )
        require(
            self.bias_weight == 1 or self.batch_size >= 2,
            f"--batch-size must be at least 2 for a --bias-weight other than 1, got {self.batch_size}",
        )
        if self.has_heads:
            name = f"--cell {self.cell}"
            require(self.hidden_size == 2, f"{name} has a --hidden-size of 2, got {self.hidden_size}")
            require(self.bias_weight == 1, f"{name} has losses of its own, got --bias-weight {self.bias_weight}")
            require(self.batch_size >= 2, f"--batch-size must be at least 2 for {name}, got {self.batch_size}")
        else:
            require(self.exponents == "given", f"--exponents is for --cell heads and gated-heads, got {self.exponents}")
        for name in ("beta1", "beta2"):
            require(0 <= (getattr(self, name) or 0) < 1, f"{flag(name)} must lie in [0, 1), got {getattr(self, name)}")
        penalty, start, end = self.penalty or 0.0, self.penalty_start, self.penalty_end
        require(0 <= penalty < math.inf, f"--penalty must be a number that is not negative, got {penalty}")
        require(
            0 <= start < end <= 1, f"--penalty-start must lie before --penalty-end, in [0, 1], got {start} and {end}"
        )

    @cached_property
    def recipe(self) -> Recipe:
        """The optimiser settings: those given, else those of the cell."""
        given = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        default = RECIPES.get(self.cell, LINEAR)
        return replace(default, **{name: value for name, value in given.items() if value is not None})

    def resolved(self) -> Config:
        """With the optimiser settings of the cell where none are given."""
        return replace(self, **asdict(self.recipe))

    @property
    def subsets(self) -> Subsets:
        """Sizes of the two subsets."""
        size = int(self.subset_ratio * self.input_size)
        return Subsets(self.input_size, size, int(self.overlap_ratio * size))

    def threshold(self, subsets: Subsets | None = None) -> float:
        """The extrapolation error below which a seed is solved."""
        return threshold(self.op, subsets or self.subsets, self.extrapolation_range)

    @property
    def has_heads(self) -> bool:
        """Whether the cell is no kind of layer but a set of heads."""
        return self.cell in ("heads", "gated-heads")

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        largest, warm_up = self.recipe.learning_rate, self.recipe.warm_up
        if self.schedule == "cosine":
            return largest * cosine(step, self.steps, warm_up)
        return largest * ramp(step, self.steps, 0.0, warm_up) if warm_up else largest

    def penalty_at(self, step: int) -> float:
        """The weight of the regulariser at a step: linear growth from start to end."""
        return self.recipe.penalty * ramp(step, self.steps, self.penalty_start, self.penalty_end)

    def label(self) -> str:
        """A short name of the setting."""
        split = {"none": "", "inputs": "-mean-split", "units": "-mean-split-units"}
        is_usual = self.recipe.mean_split == RECIPES.get(self.cell, LINEAR).mean_split
        return f"{self.op}-{self.cell}" + ("" if is_usual else split[self.recipe.mean_split])


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    data = Data(
        config.op,
        config.subsets,
        config.seed_range,
        interpolation_range=config.interpolation_range,
        extrapolation_range=config.extrapolation_range,
        batch_size=config.batch_size,
        eval_size=config.eval_size,
        device=device,
    )
    model = _ensemble(config).to(device)
    optimizer = _optimizer(config, model)

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        metrics, gates = evaluate(config, data, model)
        live = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, {"train/loss": loss, **metrics}, model, live, gates)

    if state is None:
        start = 0
        x, y = data.batch(0)
        yield snapshot(0, training_loss(config, model, x, y).detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    def objective(model: Ensemble, uniform: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        x, y = data.examples(uniform)
        loss = training_loss(config, model, x, y)
        return (loss + weight * sparsity_penalty(model) if config.recipe.penalty > 0 else loss), loss

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))
    weight = torch.zeros((), device=device)
    for step in range(start, config.steps):
        if config.recipe.penalty > 0:
            weight.fill_(config.penalty_at(step))
        loss = backward(data.uniform(step), weight)
        if config.recipe.mean_split != "none":
            project_gradients_(model)
        optimizer.param_groups[0]["lr"] = config.learning_rate_at(step)
        optimizer.step()
        after_step_(model)
        if config.evaluates_at(step + 1):
            yield snapshot(step + 1, loss)


def training_loss(config: Config, model: Ensemble, x: Tensor, target: Tensor) -> Tensor:
    """What is minimised, but for the regulariser, ``(S, B, inputs), (S, B, 1) -> (S,)``."""
    prediction = model(x)
    if config.cell == "heads":
        return heads.loss(prediction, target)
    if config.cell == "gated-heads":
        return gated_heads.loss(prediction, target, model.template.gate)
    if config.bias_weight == 1:  # the same number as below, with other rounding
        return squared_error(prediction, target)
    return centred_loss(prediction, target, config.bias_weight)


def _ensemble(config: Config) -> Ensemble:
    if config.cell == "heads":
        typical = heads.typical_size(config.interpolation_range)
        return Ensemble(
            partial(heads.Heads, config.input_size, config.exponents, typical), config.seed_range, natively_batched=True
        )
    if config.cell == "gated-heads":
        build_gated = partial(gated_heads.GatedHeads, config.input_size, config.exponents)
        return Ensemble(build_gated, config.seed_range, natively_batched=True)
    build_layers = partial(build, config.cell, config.input_size, config.hidden_size, config.init)
    return Ensemble(build_layers, config.seed_range)


@torch.no_grad()
def evaluate(config: Config, data: Data, model: Ensemble) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Metrics of every seed, ``(S,)``, and its gates where there are any."""
    if config.has_heads:
        if config.cell == "gated-heads":
            metrics = gated_heads.evaluate(model, data.validation, data.extrapolation)
        else:
            metrics = heads.evaluate(model.template, data.validation, data.extrapolation)
        return {**metrics, "solved": metrics["extrapolation/error"] < config.threshold()}, {}
    model.eval()  # units that draw noise draw none
    x, y = data.validation
    interpolation = squared_error(model(x, shared=True), y)
    gates = inspection.gate_openness(model, x[:1000])
    x, y = data.extrapolation
    extrapolation = squared_error(model(x, shared=True), y)
    model.train()
    metrics = {
        "interpolation/error": interpolation,
        "extrapolation/error": extrapolation,
        "solved": extrapolation < config.threshold(),
        "weights/sparsity": inspection.sparsity_error(model),
    }
    if gates:
        metrics["gate/mean"] = torch.cat(list(gates.values()), dim=1).mean(dim=1)
    return metrics, {f"gate/{layer}": gate for layer, gate in gates.items()}


AXES: dict[Split, tuple[int, ...]] = {"none": (), "inputs": (INPUTS,), "units": (INPUTS, OUTPUTS)}


def _optimizer(config: Config, model: Ensemble) -> torch.optim.Optimizer | MeanSplit:
    recipe = config.recipe

    def build(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        if config.optimizer == "adam":
            betas = (recipe.beta1, recipe.beta2)
            return Adam(parameters, lr=recipe.learning_rate, betas=betas)
        momentum = 0.9 if config.optimizer == "momentum" else 0.0
        return torch.optim.SGD(parameters, lr=recipe.learning_rate, momentum=momentum)

    axes = AXES[recipe.mean_split]
    if not axes:
        return build(model.parameters())
    # The first axis is the seed, along which nothing may be mixed; a vector has no units beside its inputs.
    split = [(parameter, [axis for axis in axes if -axis < parameter.ndim]) for parameter in model.parameters()]
    return MeanSplit(split, build)


def _require_range(name: str, bounds: tuple[float, ...], lowest: float) -> None:
    wanted = f"{flag(name)} must be LOW HIGH, or LOW HIGH LOW HIGH for two intervals of one width"
    given = f"got {' '.join(str(bound).removesuffix('.0') for bound in bounds)}"
    require(len(bounds) in (2, 4), f"{wanted}, {given}")
    require(
        all(lowest <= bound <= LARGEST_INPUT for bound in bounds),
        f"{flag(name)} must lie in [{lowest:g}, {LARGEST_INPUT:g}], {given}",
    )
    require(all(low < high for low, high in zip(bounds[::2], bounds[1::2], strict=True)), f"{wanted}, {given}")
    if len(bounds) == 4:
        require(math.isclose(bounds[1] - bounds[0], bounds[3] - bounds[2]), f"{wanted}, {given}")


SMOKE = Config(seeds=3, steps=40, eval_every=20, eval_size=200, learning_rate=0.01)
