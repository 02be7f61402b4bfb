"""The training loop of six operations, its loss and its evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nalu import Adam, CompiledBackward, Ensemble, after_step_, project_gradients_, training_steps, worth_compiling
from nalu.training.scheduled import Scheduled
from nalu.training.steps import Step
from tasks.arithmetic.optimization import split_optimizer
from tasks.harness.contract import Snapshot, State
from tasks.six_operations import one_network, three_networks
from tasks.six_operations.data import SubsetSums
from tasks.six_operations.model import build
from tasks.six_operations.options import Config


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    data = config.data(device)
    model = build(config).to(device)

    def adam(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return Adam(parameters, lr=config.learning_rate, betas=(config.beta1, config.beta2))

    optimizer = split_optimizer(model, config.mean_split, adam)

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, {"train/loss": loss, **evaluate(config, data, model)}, model, state)

    if state is None:
        start = 0
        x, y = data.batch(0)
        yield snapshot(0, training_loss(config, model, x, y).detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    def objective(model: Ensemble, drawn: Tensor) -> tuple[Tensor, Tensor]:
        x, y = data.examples(drawn)
        loss = training_loss(config, model, x, y)
        return loss, loss

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))
    learning_rate = Scheduled(config.learning_rate_at, config.steps, device)

    def train_step(step: Step) -> Tensor:
        loss = backward(data.draw(step))
        project_gradients_(model)
        optimizer.param_groups[0]["lr"] = learning_rate(step)
        optimizer.step()
        after_step_(model)
        return loss

    for step, loss in training_steps(train_step, range(start, config.steps), config.evaluates_at, device):
        yield snapshot(step, loss)


def training_loss(config: Config, model: Ensemble, x: Tensor, target: Tensor) -> Tensor:
    """The training loss, ``(S, B, inputs), (S, B, 1) -> (S,)``."""
    outputs = model(x)
    if config.networks == "three":
        return three_networks.loss(outputs, target)
    return one_network.loss(outputs, target, model.template.gate)


@torch.no_grad()
def evaluate(config: Config, data: SubsetSums, model: Ensemble) -> dict[str, Tensor]:
    """Metrics of the chosen structure of every seed, ``(S,)``."""
    of_kind = three_networks.evaluate if config.networks == "three" else one_network.evaluate
    metrics = of_kind(model.template, data.validation, data.extrapolation)
    return {**metrics, "solved": metrics["extrapolation/error"] < config.threshold()}
