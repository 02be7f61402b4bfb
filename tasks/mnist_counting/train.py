"""The options and the training loop of MNIST counting and addition."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from nalu import Adam, after_step_
from nalu.functional import sparsity
from nalu.init import Init
from nalu.schedules import cosine, ramp
from tasks.harness import config as harness
from tasks.harness.config import flag, require
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import curve
from tasks.mnist_counting.data import PROBLEMS, Data, Problem, Series, Target
from tasks.mnist_counting.digits import Dataset, load_digits, resolve
from tasks.mnist_counting.model import (
    ARITHMETIC,
    BASELINES,
    Cell,
    Encoder,
    Networks,
    build_recurrent,
    mean_gate,
    penalty,
    recurrent_weights,
    snapped,
)
from tasks.mnist_counting.pictures import pictures

WARM_UP = 50
"""Steps over which the learning rates grow to their full size."""


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Count, add or multiply handwritten digits seen one by one, and go on for a hundred times as long."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    target: Target = "counting"
    """The counts of ten classes or the sum, asked for after 10 digits; cumsum, product: after every digit."""
    cell: Cell = "nac"
    """The recurrent cell; exact is the right sum or product itself, without parameters: the most a cell can reach."""
    dataset: Dataset = "auto"
    """MNIST, or the embedded sample of 10 000 of its digits; auto is MNIST where it is there or can be fetched."""
    data_dir: str = "data"
    """Where MNIST is, or is fetched to."""
    seeds: int = 5
    """How many seeds are trained at once."""
    steps: int = 6000
    """Training steps of every seed."""
    eval_every: int = 1000
    """Steps between two evaluations; the last step is always evaluated."""
    eval_size: int = 50_000
    """Digits in all the test series of one length."""
    batch_size: int | None = None
    """Series in a batch; by default 16, and 64 of the short ones for product."""
    hidden_size: int | None = None
    """Size of the state of lstm, gru and rnn, by default 64; that of an arithmetic cell is the answer."""
    encoder: Literal["softmax", "linear"] | None = None
    """Output of the convnet; by default linear, and softmax for counting with an arithmetic or the exact cell."""
    encoder_rate: float | None = None
    """Adam's learning rate of the convnet, with warm-up and cosine decay to 0; by default 0.003, for sums 0.006."""
    cell_rate: float | None = None
    """The same of the recurrent part; by default 0.005 for arithmetic cells, 0.003 for others."""
    clip: float = 1.0
    """Largest norm of the gradient of each seed's convnet, and of its recurrent part."""
    bias_weight: float | None = None
    """Weight of the squared mean error beside the variance of the error at the start; it grows to 1, the plain MSE.
    By default 0.001 for sums, 1 else."""
    recurrent_start: Literal["identity", "unit"] | None = None
    """Start of the weights from the state to itself: the identity (default of arithmetic cells), or the unit's own."""
    input_start: float | None = None
    """W_hat and M_hat of the input weights start as this multiple of the identity, by default 2; 0: the unit's own."""
    gate_bias: float | None = None
    """Start of a bias in the gate of a NALU, by default 10; 0: without a bias, as in the paper."""
    penalty: float | None = None
    """Weight of the sparsity of the recurrent weights, by default 0.01; grows from 30 % to 60 % of the steps."""
    init: Init = "glorot_uniform"
    """Initialisation of NAC and NALU; see nalu.init."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("eval_size", "clip")
        require(
            self.data_dir.isprintable() and len(self.data_dir) <= 1000,
            f"--data-dir must be a path of at most 1000 printable characters, got {self.data_dir!r}",
        )
        for name in ("batch_size", "hidden_size", "encoder_rate", "cell_rate", "bias_weight"):
            if getattr(self, name) is not None:
                self.require_positive(name)
        for name in ("input_start", "gate_bias", "penalty"):
            value = getattr(self, name) or 0.0
            require(0 <= value < math.inf, f"{flag(name)} must be a number that is not negative, got {value}")
        if self.cell not in ARITHMETIC:
            for name, without in (("recurrent_start", "unit"), ("input_start", 0.0), ("penalty", 0.0)):
                value = getattr(self, name)
                require(value in (None, without), f"{flag(name)} {value} needs an arithmetic cell, got {self.cell}")
        require(self.cell == "nalu" or not self.gate_bias, f"--gate-bias needs --cell nalu, got {self.cell}")
        require(self.cell in BASELINES or not self.hidden_size, f"--hidden-size is not for --cell {self.cell}")

    def resolved(self) -> Config:
        """With the values that suit the target and the cell where none are given, and the data set that is there."""
        arithmetic, is_sum = self.cell in ARITHMETIC, self.target in ("addition", "cumsum")
        defaults = {
            "batch_size": 64 if self.target == "product" else 16,
            "hidden_size": 64 if self.cell in BASELINES else None,
            "encoder": "softmax" if self.target == "counting" and self.cell not in BASELINES else "linear",
            "encoder_rate": 0.006 if is_sum else 0.003,
            "cell_rate": 0.005 if arithmetic else 0.003,
            "bias_weight": 0.001 if is_sum else 1.0,
            "recurrent_start": "identity" if arithmetic else "unit",
            "input_start": 2.0 if arithmetic else 0.0,
            "gate_bias": 10.0 if self.cell == "nalu" else 0.0,
            "penalty": 0.01 if arithmetic else 0.0,
        }
        missing: dict[str, Any] = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        dataset = resolve("auto", Path(self.data_dir)) if self.dataset == "auto" else self.dataset
        return replace(self, **missing, dataset=dataset)

    @property
    def problem(self) -> Problem:
        """What the target asks for."""
        return PROBLEMS[self.target]

    def rate_factor(self, step: int) -> float:
        """What the learning rates are multiplied by at a step: linear warm-up, then cosine decay to 0."""
        return min((step + 1) / WARM_UP, 1.0) * cosine(step, self.steps)

    def penalty_at(self, step: int) -> float:
        """The weight of the penalty at a step."""
        return (self.penalty or 0.0) * ramp(step, self.steps, 0.3, 0.6)

    def bias_weight_at(self, step: int) -> float:
        """The weight of the bias at a step: geometric growth to 1."""
        return (self.bias_weight or 1.0) ** (1 - step / self.steps)

    def label(self) -> str:
        """A short name of the setting."""
        return f"{self.target}-{self.cell}"


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds side by side; see :class:`tasks.harness.contract.Train`."""
    config = config.resolved()
    device = config.torch_device()
    data_dir = Path(config.data_dir)
    digits = load_digits(resolve(config.dataset, data_dir), data_dir)
    data = Data(
        config.target,
        digits,
        config.seed_range,
        batch_size=config.batch_size or 1,
        eval_size=config.eval_size,
        device=device,
    )
    model = build(config).to(device)
    groups = [
        {"params": list(model.encoders.parameters()), "rate": config.encoder_rate},
        {"params": list(model.recurrent.parameters()), "rate": config.cell_rate},
    ]
    optimizer = Adam([group for group in groups if group["params"]])

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        live = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        metrics = {"train/loss": loss.detach(), **evaluate(config, data, model)}
        return Snapshot(step, metrics, model.recurrent, live, figures=pictures(data, model, config.first_seed))

    if state is None:
        start = 0
        with torch.no_grad():
            images, answers = data.batch(0)
            loss = squared_error(model(images), answers, config, 0)
        yield snapshot(0, loss)
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    for step in range(start, config.steps):
        images, answers = data.batch(step)
        loss = squared_error(model(images), answers, config, step)
        objective = loss
        if (weight := config.penalty_at(step)) > 0:
            objective = loss + weight * penalty(model.recurrent)
        optimizer.zero_grad()
        objective.sum().backward()  # the sum over seeds: no seed's gradient depends on its companions
        model.clip_grad_norm_(config.clip)
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * config.rate_factor(step)
        optimizer.step()
        after_step_(model.recurrent)
        if config.evaluates_at(step + 1):
            yield snapshot(step + 1, loss)


def build(config: Config) -> Networks:
    """The networks of all seeds, for resolved options."""
    outputs = config.problem.outputs
    return Networks(
        lambda: Encoder(10 if config.target == "counting" else 1, softmax=config.encoder == "softmax"),
        lambda: build_recurrent(
            config.cell,
            10 if config.target == "counting" else 1,
            outputs,
            hidden=config.hidden_size or 1,
            product=config.target == "product",
            recurrent_start=config.recurrent_start or "unit",
            input_start=config.input_start or 0.0,
            gate_bias=config.gate_bias or 0.0,
            init=config.init,
        ),
        config.seed_range,
        natively_batched=config.cell in ("nac", "nau"),
    )


def squared_error(outputs: Tensor, answers: Tensor, config: Config, step: int) -> Tensor:
    """The loss of every seed: ``(S, B, T, outputs)`` of both, to ``(S,)``; see ``bias_weight``."""
    error = outputs - answers
    if not config.problem.every_step:
        error = error[:, :, -1]
    bias = error.mean(dim=1, keepdim=True)
    return ((error - bias).square() + config.bias_weight_at(step) * bias.square()).flatten(1).mean(dim=1)


@torch.no_grad()
def evaluate(config: Config, data: Data, model: Networks) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``; every image is encoded once, and only the cell runs over the series."""
    validation = model.encode_shared(data.validation_images)
    test = model.encode_shared(data.test_images)
    lengths = config.problem.lengths

    def errors(recurrent: torch.nn.Module, features: Tensor, series: Series) -> Tensor:
        """Of every last answer, ``(S, N, outputs)``."""
        return recurrent(features[:, series.indices])[:, :, -1] - series.answers

    inner = errors(model.recurrent, validation, data.validation)
    outer = {n: errors(model.recurrent, test, series) for n, series in data.test.items()}
    metrics = {
        "interpolation/error": mean_absolute(inner),
        "extrapolation/error": mean_absolute(outer[lengths[-1]]),
        **{curve(n): mean_absolute(error) for n, error in outer.items()},
        **{f"exact/{n}": (error.abs() < 0.5).all(dim=-1).float().mean(dim=1) for n, error in outer.items()},
        "accuracy/digit": digit_accuracy(outer[1] + data.test[1].answers, data.test[1].answers),
    }
    if config.problem.every_step:
        metrics |= {f"squared/{n}": error.square().mean(dim=(1, 2)) for n, error in outer.items()}
    gate = mean_gate(model.recurrent, validation[:, data.validation.indices])
    if gate is not None:
        metrics["gate/mean"] = gate
    W = recurrent_weights(model.recurrent)
    if W is not None:
        rounded = snapped(model.recurrent)
        metrics["weights/sparsity"] = sparsity(W).amax(dim=(-2, -1))
        metrics["snapped/interpolation"] = mean_absolute(errors(rounded, validation, data.validation))
        for n, series in data.test.items():
            metrics[f"snapped/{n}"] = mean_absolute(errors(rounded, test, series))
    return metrics


def mean_absolute(error: Tensor) -> Tensor:
    """``(S, N, outputs) -> (S,)``."""
    return error.abs().mean(dim=(1, 2))


def digit_accuracy(outputs: Tensor, answers: Tensor) -> Tensor:
    """How often a single digit is named rightly, by the largest count or the nearest number; ``(S, N, outputs)``."""
    if answers.shape[-1] > 1:
        right = outputs.argmax(dim=-1) == answers.argmax(dim=-1)
    else:
        right = ((outputs - answers).abs() < 0.5).squeeze(-1)
    return right.float().mean(dim=1)


SMOKE = Config(dataset="sample", seeds=2, steps=30, eval_every=10, eval_size=1000, batch_size=8)
