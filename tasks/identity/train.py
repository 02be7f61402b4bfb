"""The options and the training loop of the identity task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nalu import Adam, CompiledBackward, Ensemble, worth_compiling
from nalu.init import Init
from tasks.harness import config as harness
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import curve
from tasks.identity.model import Cell, build

TRAINING_LIMIT = 5
TEST_LIMIT = 20


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn f(x) = x from the integers -5 to 5, and extrapolate to -20 to 20."""

    cell: Cell = "tanh"
    """The activation of an MLP, or the arithmetic unit of all layers."""
    seeds: int = 100
    """How many seeds are trained at once."""
    eval_every: int = 2000
    """Steps between two evaluations; the last step is always evaluated."""
    width: int = 8
    """Units in each of the three hidden layers."""
    learning_rate: float = 0.01
    """Of Adam."""
    init: Init = "glorot_uniform"
    """Initialisation of NAC and NALU layers; see nalu.init."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("width", "learning_rate")

    def label(self) -> str:
        """A short name of the setting."""
        return self.cell


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    x = torch.arange(-TRAINING_LIMIT, TRAINING_LIMIT + 1.0, device=device).unsqueeze(-1)
    model = Ensemble(lambda: build(config.cell, config.width, config.init), config.seed_range).to(device)
    optimizer = Adam(model.parameters(), lr=config.learning_rate)

    def objective(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        loss = (model(x, shared=True) - x).square().mean(dim=(1, 2))
        return loss, loss

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        live = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, {"train/loss": loss, **evaluate(model, device)}, model, live)

    if state is None:
        start = 0
        yield snapshot(0, objective(model, x)[0].detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    for step in range(start, config.steps):
        loss = backward(x)
        optimizer.step()
        if config.evaluates_at(step + 1):
            yield snapshot(step + 1, loss)


@torch.no_grad()
def evaluate(model: Ensemble, device: torch.device) -> dict[str, Tensor]:
    """Absolute errors of every seed, ``(S,)``: means inside and outside the training range, and at each integer."""
    per_unit = 10  # test points between two integers
    x = torch.arange(-TEST_LIMIT * per_unit, TEST_LIMIT * per_unit + 1, device=device).unsqueeze(-1) / per_unit
    error = (model(x, shared=True) - x).abs().squeeze(-1)
    inside = x.squeeze(-1).abs() <= TRAINING_LIMIT
    integers = range(-TEST_LIMIT, TEST_LIMIT + 1)
    return {
        "interpolation/error": error[:, inside].mean(dim=1),
        "extrapolation/error": error[:, ~inside].mean(dim=1),
        **{curve(n): error[:, (n + TEST_LIMIT) * per_unit] for n in integers},
    }


SMOKE = Config(seeds=3, steps=60, eval_every=20)
