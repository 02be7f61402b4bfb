"""The training loop and the evaluation, for all seeds at once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nalu import Adam, CompiledBackward, Ensemble, after_step_, inspection, training_steps, worth_compiling
from nalu.training.steps import Step
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import EXTRAPOLATION_ERROR, INTERPOLATION_ERROR, SOLVED
from tasks.harness.streams import uniform_stream

from .data import EXTRAPOLATION_RANGE, INPUTS, TRAINING_RANGE, evaluation_set, spread, target
from .model import build
from .options import Config

VALIDATION_SEED, EXTRAPOLATION_SEED = 1, 2


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device = config.torch_device()
    # The batch of a step is a function of the seed and the step, so a resumed run sees the same batches.
    stream = uniform_stream(
        config.data_generator, config.seed_range, (config.batch_size, INPUTS), device=device, block=16
    )
    validation = evaluation_set(VALIDATION_SEED, config.eval_size, TRAINING_RANGE, device)
    extrapolation = evaluation_set(EXTRAPOLATION_SEED, config.eval_size, EXTRAPOLATION_RANGE, device)
    model = Ensemble(lambda: build(config.cell), config.seed_range).to(device)
    optimizer = Adam(model.parameters(), lr=config.learning_rate)

    def objective(network: nn.Module, drawn: Tensor) -> tuple[Tensor, Tensor]:
        x = spread(stream.uniform(drawn), TRAINING_RANGE)
        loss = (network(x) - target(x)).square().mean(dim=(1, 2))
        return loss, loss  # what is minimised, (S,), and what is reported

    backward = CompiledBackward(model, objective, compiled=worth_compiling(config.steps))

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        errors = evaluate(model, validation, extrapolation)
        solved = errors[EXTRAPOLATION_ERROR] < config.threshold
        metrics = {"train/loss": loss, **errors, SOLVED: solved}
        if config.cell != "mlp":
            metrics["weights/sparsity"] = inspection.sparsity_error(model)
        return Snapshot(step, metrics, model, state)

    if state is None:
        start = 0
        with torch.no_grad():
            yield snapshot(0, objective(model, stream.draw(0))[0])
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    def train_step(step: Step) -> Tensor:
        loss = backward(stream.draw(step))
        optimizer.step()
        after_step_(model)  # clipped and stochastic units need it; it leaves other modules as they are
        return loss

    for step, loss in training_steps(train_step, range(start, config.steps), config.evaluates_at, device):
        yield snapshot(step, loss)


@torch.no_grad()
def evaluate(
    model: Ensemble, validation: tuple[Tensor, Tensor], extrapolation: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """The mean squared errors of every seed, ``(S,)``."""
    model.eval()  # stochastic units draw no noise
    errors = {}
    for name, (x, y) in {INTERPOLATION_ERROR: validation, EXTRAPOLATION_ERROR: extrapolation}.items():
        errors[name] = (model(x, shared=True) - y).square().mean(dim=(1, 2))
    model.train()
    return errors
