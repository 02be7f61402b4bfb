"""The training loop of the identity task and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nalu import Adam, CompiledBackward, Ensemble, after_step_, training_steps, worth_compiling
from nalu.training.steps import Step
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import curve
from tasks.identity.data import PER_INTEGER, TEST_LIMIT, TRAINING_LIMIT, test_inputs, training_inputs
from tasks.identity.model import build
from tasks.identity.options import Config


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    x = training_inputs(device)
    model = Ensemble(lambda: build(config.cell, config.width, config.init), config.seed_range).to(device)
    optimizer = Adam(model.parameters(), lr=config.learning_rate)

    def objective(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        loss = (model(x, shared=True) - x).square().mean(dim=(1, 2))
        return loss, loss

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, {"train/loss": loss, **evaluate(model, device)}, model, state)

    if state is None:
        start = 0
        yield snapshot(0, objective(model, x)[0].detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    def train_step(step: Step) -> Tensor:
        loss = backward(x)
        optimizer.step()
        after_step_(model)
        return loss

    for step, loss in training_steps(train_step, range(start, config.steps), config.evaluates_at, device):
        yield snapshot(step, loss)


def evaluate_model(config: Config, model: Ensemble) -> dict[str, Tensor]:
    """The metrics of any model; see :class:`tasks.harness.contract.Task`."""
    return evaluate(model, config.torch_device())


@torch.no_grad()
def evaluate(model: Ensemble, device: torch.device) -> dict[str, Tensor]:
    """Absolute errors of every seed, ``(S,)``: means inside and outside the training range, and at each integer."""
    x = test_inputs(device)
    model.eval()  # stochastic units draw no noise
    error = (model(x, shared=True) - x).abs().squeeze(-1)
    model.train()
    inside = x.squeeze(-1).abs() <= TRAINING_LIMIT
    integers = range(-TEST_LIMIT, TEST_LIMIT + 1)
    return {
        "interpolation/error": error[:, inside].mean(dim=1),
        "extrapolation/error": error[:, ~inside].mean(dim=1),
        **{curve(n): error[:, (n + TEST_LIMIT) * PER_INTEGER] for n in integers},
    }
