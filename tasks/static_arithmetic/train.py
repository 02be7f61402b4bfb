"""The training loop of static arithmetic, its loss and its evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

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
    training_steps,
    worth_compiling,
)
from nalu.formula import network_weights
from nalu.functional import sparsity
from nalu.training.scheduled import Scheduled
from nalu.training.steps import Step
from tasks.arithmetic.loss import centred_loss, squared_error
from tasks.arithmetic.optimization import split_optimizer
from tasks.harness.contract import Snapshot, State
from tasks.static_arithmetic.data import SubsetSums
from tasks.static_arithmetic.model import build
from tasks.static_arithmetic.options import Config


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    recipe = config.recipe
    data = config.data(device)
    members = partial(build, config.cell, config.input_size, config.hidden_size, config.init)
    model = Ensemble(members, config.seed_range).to(device)
    optimizer = split_optimizer(model, recipe.mean_split, partial(build_optimizer, config))

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        metrics, gates = evaluate(config, data, model)
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, {"train/loss": loss, **metrics}, model, state, gates)

    if state is None:
        start = 0
        x, y = data.batch(0)
        yield snapshot(0, training_loss(config, model(x), y).detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    def objective(model: Ensemble, drawn: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
        x, y = data.examples(drawn)
        loss = training_loss(config, model(x), y)
        return (loss + penalty * sparsity_penalty(model) if recipe.penalty > 0 else loss), loss

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))
    penalty = Scheduled(config.penalty_at, config.steps, device)
    learning_rate = Scheduled(config.learning_rate_at, config.steps, device)

    def train_step(step: Step) -> Tensor:
        loss = backward(data.draw(step), penalty.tensor(step))
        if recipe.mean_split != "none":
            project_gradients_(model)
        optimizer.param_groups[0]["lr"] = learning_rate(step)
        optimizer.step()
        after_step_(model)
        return loss

    for step, loss in training_steps(train_step, range(start, config.steps), config.evaluates_at, device):
        yield snapshot(step, loss)


def training_loss(config: Config, prediction: Tensor, target: Tensor) -> Tensor:
    """The training loss without the regulariser, ``(S, B, 1), (S, B, 1) -> (S,)``."""
    if config.bias_weight == 1:  # equal to the loss below, except for rounding
        return squared_error(prediction, target)
    return centred_loss(prediction, target, config.bias_weight)


def build_optimizer(config: Config, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """The optimiser that the options name."""
    recipe = config.recipe
    if config.optimizer == "adam":
        return Adam(parameters, lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2))
    momentum = 0.9 if config.optimizer == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=recipe.learning_rate, momentum=momentum)


def evaluate_model(config: Config, model: Ensemble) -> dict[str, Tensor]:
    """The metrics of any model of the options' problem; see :class:`tasks.harness.contract.Task`."""
    return evaluate(config, config.data(config.torch_device()), model)[0]


@torch.no_grad()
def evaluate(config: Config, data: SubsetSums, model: Ensemble) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Metrics of every seed, ``(S,)``, and the gates of its layers if it has any."""
    model.eval()  # stochastic units draw no noise
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
    whole = network_weights(model.template)
    if whole is not None:
        metrics["weights/network_sparsity"] = sparsity(whole).amax(dim=(-2, -1))
    if gates:
        metrics["gate/mean"] = torch.cat(list(gates.values()), dim=1).mean(dim=1)
    return metrics, {f"gate/{layer}": gate for layer, gate in gates.items()}
