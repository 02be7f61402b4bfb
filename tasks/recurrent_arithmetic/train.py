"""The training loop of recurrent arithmetic and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nalu import (
    Adam,
    CompiledBackward,
    Ensemble,
    after_step_,
    inspection,
    sparsity_penalty,
    training_steps,
    worth_compiling,
)
from nalu.training.scheduled import Scheduled
from nalu.training.steps import Step
from tasks.arithmetic.loss import centred_loss, squared_error
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import curve
from tasks.recurrent_arithmetic.data import LENGTHS, SUBSETS, Data
from tasks.recurrent_arithmetic.model import build
from tasks.recurrent_arithmetic.options import Config


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    recipe = config.recipe
    device = config.torch_device()
    data = build_data(config)
    model = Ensemble(lambda: build(config.cell, SUBSETS.inputs, recipe.hidden_size, config.init), config.seed_range).to(
        device
    )
    optimizer = Adam(model.parameters(), betas=(0.9, recipe.beta2))

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, {"train/loss": loss, **evaluate(config, data, model)}, model, state)

    if state is None:
        start = 0
        x, y = data.batch(0)
        yield snapshot(0, squared_error(model(x), y).detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    def objective(model: nn.Module, drawn: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        x, y = data.examples(drawn)
        prediction = model(x)
        loss = centred_loss(prediction, y, recipe.bias_weight)
        if config.is_clipped:
            loss = loss + weight * sparsity_penalty(model)
        return loss, squared_error(prediction, y)

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))
    penalty = Scheduled(config.penalty_at, config.steps, device)
    learning_rate = Scheduled(config.learning_rate_at, config.steps, device)

    def train_step(step: Step) -> Tensor:
        loss = backward(data.draw(step), penalty.tensor(step))
        model.clip_grad_norm_(config.clip)
        optimizer.param_groups[0]["lr"] = learning_rate(step)
        optimizer.step()
        after_step_(model)
        return loss

    for step, loss in training_steps(train_step, range(start, config.steps), config.evaluates_at, device):
        yield snapshot(step, loss)


def build_data(config: Config) -> Data:
    """The batches and evaluation sets of all seeds."""
    return Data(
        config.op,
        SUBSETS,
        config.seed_range,
        length=LENGTHS[0],
        lengths=LENGTHS,
        batch_size=config.batch_size,
        eval_size=config.eval_size,
        device=config.torch_device(),
        generator=config.data_generator,
    )


def evaluate_model(config: Config, model: Ensemble) -> dict[str, Tensor]:
    """The metrics of any model of the options' problem; see :class:`tasks.harness.contract.Task`."""
    return evaluate(config, build_data(config), model)


@torch.no_grad()
def evaluate(config: Config, data: Data, model: Ensemble) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``."""
    model.eval()  # stochastic units draw no noise
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
