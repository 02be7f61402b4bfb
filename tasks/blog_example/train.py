"""The options and the training loop of the blog's example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nalu import Adam, CompiledBackward, Ensemble, inspection, worth_compiling
from nalu.init import Init
from nalu.schedules import cosine
from tasks.blog_example.data import TEST_LIMIT, TRAINING_LIMIT, examples
from tasks.blog_example.model import build
from tasks.harness import config as harness
from tasks.harness.config import require
from tasks.harness.contract import Snapshot, State

ARTICLE_EXAMPLES = 10_000
ARTICLE_TEST_LOSS = 8.575397e-05
"""Of the article's one run: half the sum of the squared errors over its test examples."""


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Learn to add 10 numbers from fixed examples in [0, 10], as the article does; test in [0, 100]."""

    steps: int = 50_000
    """Full-batch training steps of every seed."""
    eval_every: int = 500
    """Steps between two evaluations; the last step is always evaluated."""
    examples: int = ARTICLE_EXAMPLES
    """Training examples; as many are in the validation and test sets."""
    learning_rate: float = 0.1
    """Of Adam."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Constant (the article), or cosine decay to 0 over the run after warm-up over its first tenth."""
    init: Init = "truncated_normal"
    """Initialisation of both NALU layers; see nalu.init."""
    gate_bias: float | None = None
    """Start value of a bias in the gates, towards the additive path where positive; by default (the article) none."""
    separate_weights: bool = False
    """Give the multiplicative path weights of its own; the article ties them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("examples", "learning_rate")
        require(self.examples <= 10**7, f"--examples must lie in 1..10000000, got {self.examples}")
        bias = self.gate_bias or 0.0
        require(abs(bias) <= 1000, f"--gate-bias must lie in [-1000, 1000], got {bias}")

    @property
    def target_loss(self) -> float:
        """The article's test loss, in proportion to the number of test examples."""
        return ARTICLE_TEST_LOSS * self.examples / ARTICLE_EXAMPLES

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.learning_rate * (cosine(step, self.steps, warm_up=0.1) if self.schedule == "cosine" else 1.0)

    def label(self) -> str:
        """A short name of the setting."""
        return f"{self.init}-{self.schedule}-{self.examples}"


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    sets = {
        name: tuple(part.to(device) for part in examples(seed, config.examples, limit))
        for seed, (name, limit) in enumerate(
            {"train": TRAINING_LIMIT, "interpolation": TRAINING_LIMIT, "extrapolation": TEST_LIMIT}.items()
        )
    }
    model = Ensemble(lambda: build(config.init, config.gate_bias, config.separate_weights), config.seed_range).to(
        device
    )
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
            "gate/mean": torch.cat(list(gates.values()), dim=1).mean(dim=1),
        }
        live = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return Snapshot(step, metrics, model, live, {f"gate/{layer}": gate for layer, gate in gates.items()})

    if state is None:
        start = 0
        yield snapshot(0, half_squared_error(model, "train").detach())
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    for step in range(start, config.steps):
        loss = backward(*sets["train"])
        optimizer.param_groups[0]["lr"] = config.learning_rate_at(step)
        optimizer.step()
        if config.evaluates_at(step + 1):
            yield snapshot(step + 1, loss)


SMOKE = Config(seeds=3, steps=20, eval_every=10, examples=100, learning_rate=0.001)
