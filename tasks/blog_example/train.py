"""The training loop of the blog's example and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from nalu import Adam, CompiledBackward, Ensemble, after_step_, inspection, training_steps, worth_compiling
from nalu.training.scheduled import Scheduled
from nalu.training.steps import Step
from tasks.blog_example.data import TEST_LIMIT, TRAINING_LIMIT, examples
from tasks.blog_example.model import build
from tasks.blog_example.options import Config
from tasks.harness.contract import Snapshot, State


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    sets = {
        name: tuple(part.to(device) for part in examples(seed, config.examples, limit))
        for seed, (name, limit) in enumerate(
            {"train": TRAINING_LIMIT, "interpolation": TRAINING_LIMIT, "extrapolation": TEST_LIMIT}.items()
        )
    }
    members = partial(build, config.cell, config.init, config.gate_bias, config.separate_weights)
    model = Ensemble(members, config.seed_range).to(device)
    optimizer = Adam(model.parameters(), lr=config.learning_rate)

    def objective(network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """sum(err^2) / 2 of every seed, ``(S,)``: the article's loss."""
        loss = (network(x, shared=True) - y).square().sum(dim=(1, 2)) / 2
        return loss, loss

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))

    def half_squared_error(network: nn.Module, name: str) -> Tensor:
        return objective(network, *sets[name])[0]

    @torch.no_grad()
    def snapshot(step: int, loss: Tensor) -> Snapshot:
        model.eval()  # stochastic units draw no noise
        snapped = inspection.snapped(model)
        gates = inspection.gate_openness(model, sets["interpolation"][0][:1000])
        extrapolation = half_squared_error(model, "extrapolation")
        metrics = {
            "train/loss": loss,
            "interpolation/error": half_squared_error(model, "interpolation"),
            "extrapolation/error": extrapolation,
            "interpolation/snapped_error": half_squared_error(snapped, "interpolation"),
            "extrapolation/snapped_error": half_squared_error(snapped, "extrapolation"),
            "solved": extrapolation < config.target_loss,
            "weights/sparsity": inspection.sparsity_error(model),
        }
        model.train()
        if gates:
            metrics["gate/mean"] = torch.cat(list(gates.values()), dim=1).mean(dim=1)
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, metrics, model, state, {f"gate/{layer}": gate for layer, gate in gates.items()})

    if state is None:
        start = 0
        yield snapshot(0, half_squared_error(model, "train").detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    learning_rate = Scheduled(config.learning_rate_at, config.steps, device)

    def train_step(step: Step) -> Tensor:
        loss = backward(*sets["train"])
        optimizer.param_groups[0]["lr"] = learning_rate(step)
        optimizer.step()
        after_step_(model)
        return loss

    for step, loss in training_steps(train_step, range(start, config.steps), config.evaluates_at, device):
        yield snapshot(step, loss)
