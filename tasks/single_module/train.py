"""The training loop of the single-module benchmark and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nalu import (
    Adam,
    CompiledBackward,
    Ensemble,
    Restart,
    after_step_,
    inspection,
    regularizer,
    training_steps,
    worth_compiling,
)
from nalu.training.scheduled import Scheduled
from nalu.training.steps import Step
from tasks.arithmetic.loss import squared_error
from tasks.harness.contract import Snapshot, State
from tasks.single_module.data import Data
from tasks.single_module.model import build
from tasks.single_module.options import Config
from tasks.single_module.published import EPSILON

EVAL_CHUNK = 512
"""Number of examples that are evaluated at a time."""


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all ranges and seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    recipe = config.recipe
    data = build_data(config)
    model = Ensemble(lambda: build(config.cell, config.input_size), [*config.seed_range] * len(config.ranges)).to(
        device
    )
    optimizer = Adam(model.parameters(), lr=recipe.learning_rate)
    restart = Restart(model, optimizer) if recipe.restarts else None

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        if restart is not None:
            state["restart"] = restart.state_dict()
        return Snapshot(step, evaluate(config, data, model, loss), model, state)

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

    def objective(model: nn.Module, drawn: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        x, y = data.examples(drawn)
        loss = squared_error(model(x), y)
        if recipe.penalty is None:
            return loss, loss
        return loss + weight * regularizer(model) * (loss.detach() < recipe.penalty_below), loss

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))
    penalty = Scheduled(lambda step: recipe.penalty_at(step / config.steps), config.steps, device)

    def train_step(step: Step) -> Tensor:
        loss = backward(data.draw(step), penalty.tensor(step))
        if recipe.clip_gradient is not None:
            torch.nn.utils.clip_grad_value_(model.parameters(), recipe.clip_gradient)
        optimizer.step()
        after_step_(model)
        if restart is not None:
            restart(loss)
        return loss

    steps = range(start, config.steps)
    # A restart reads on the host which members are stuck, so it cannot be captured.
    for step, loss in training_steps(train_step, steps, config.evaluates_at, device, captured=restart is None):
        yield snapshot(step, loss)


def build_data(config: Config) -> Data:
    """The batches and evaluation sets of all ranges and seeds."""
    return Data(
        config.op,
        config.bounds(),
        config.seed_range,
        inputs=config.input_size,
        batch_size=config.batch_size,
        eval_size=config.eval_size,
        device=config.torch_device(),
        generator=config.data_generator,
    )


def evaluate_model(config: Config, model: Ensemble) -> dict[str, Tensor]:
    """The metrics of any model of the options' problem; see :class:`tasks.harness.contract.Task`."""
    data = build_data(config)
    x, y = data.batch(config.steps)
    with torch.no_grad():
        loss = squared_error(model(x), y)
    return evaluate(config, data, model, loss)


@torch.no_grad()
def evaluate(config: Config, data: Data, model: Ensemble, loss: Tensor) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``: on its worst range, and on each range as ``<metric>/<range>``."""
    model.eval()  # stochastic units draw no noise
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

    It is computed in chunks, which need little memory and stay in the processor's cache.
    """
    ranges, examples, _ = x.shape
    seeds = len(model) // ranges
    total = x.new_zeros(len(model))
    for inputs, targets in zip(x.split(EVAL_CHUNK, dim=1), y.split(EVAL_CHUNK, dim=1), strict=True):
        prediction = model(inputs.repeat_interleave(seeds, dim=0))
        total += (prediction - targets.repeat_interleave(seeds, dim=0)).square().sum(dim=(1, 2))
    return (total / examples).view(ranges, seeds)
