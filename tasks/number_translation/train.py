"""The training loop of number words to numbers, its error and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nalu import Adam, Ensemble, after_step_, training_steps
from nalu.schedules import cosine
from nalu.training.scheduled import Scheduled
from nalu.training.steps import Step
from tasks.harness.contract import Snapshot, State
from tasks.harness.files import write_columns
from tasks.harness.streams import uniform_stream
from tasks.number_translation.best_so_far import BestSoFar, chosen_network, chosen_seed
from tasks.number_translation.data import Data
from tasks.number_translation.levenberg_marquardt import LevenbergMarquardt
from tasks.number_translation.model import build, no_op_parameters
from tasks.number_translation.options import Config, Loss
from tasks.number_translation.pictures import pictures

WARM_UP = 0.02
"""Fraction of the run over which the learning rate grows."""
PENALIZED = 0.75
"""Fraction of the run during which multiply-add is penalised; afterwards only the error counts."""

PREDICTIONS = "predictions.csv"
"""An additional file in the run directory; see :func:`predictions`."""


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    recipe = config.recipe
    device = config.torch_device()
    second_order = config.model == "multiply-add"
    dtype = torch.float64 if second_order else torch.float32
    data = Data(config.wording, [config.split(seed) for seed in config.seed_range], device, dtype)
    x, y = data.train
    model = Ensemble(lambda: build(config.model, config.sizes), config.seed_range).to(device, dtype)
    best = BestSoFar(model)
    adam = Adam(model.parameters())
    levenberg_marquardt = LevenbergMarquardt(
        model, lambda prediction, target: error(prediction, target, recipe.loss), no_op_parameters(model.member(0))
    )
    num_words = x.sum(dim=(2, 3))
    stream = uniform_stream(config.data_generator, config.seed_range, (recipe.batch_size or y.shape[1],), device=device)
    learning_rate = Scheduled(
        lambda step: recipe.learning_rate * cosine(step, config.steps, WARM_UP), config.steps, device
    )

    @torch.no_grad()
    def snapshot(step: int) -> Snapshot:
        metrics = evaluate(model, data)
        best.update(metrics["interpolation/error"])
        state = {
            "step": step,
            "model": model.state_dict(),
            "optimizer": adam.state_dict(),
            "damping": levenberg_marquardt.damping,
            "best": best.state_dict(),
        }
        return Snapshot(
            step,
            metrics,
            model,
            state,
            figures=pictures(config.wording, data, model),
            files={PREDICTIONS: lambda path: write_columns(path, predictions(config, data, best.state_dict()))},
        )

    if state is None:
        start = 0
        yield snapshot(0)
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["optimizer"])
        levenberg_marquardt.damping.copy_(state["damping"])
        best.load_state_dict(state["best"])

    def second_order_step(step: Step) -> tuple[Tensor, ...]:
        step = int(step)
        most_words = 1 + step // config.curriculum
        if step % config.curriculum == 0 and most_words <= num_words.max():
            levenberg_marquardt.damping.fill_(1.0)
        weight = (num_words <= most_words).to(dtype)
        levenberg_marquardt.step(x, y, weight, config.penalty if step < PENALIZED * config.steps else 0.0)
        return ()

    def first_order_step(step: Step) -> tuple[Tensor, ...]:
        batch: slice | tuple[Tensor, Tensor] = slice(None)
        if recipe.batch_size:
            examples = (stream.uniform(stream.draw(step)) * y.shape[1]).long()
            batch = torch.arange(len(model), device=device).unsqueeze(-1), examples
        residual = error(model(x[batch]), y[batch], recipe.loss)
        loss = (residual.abs() if recipe.loss == "absolute" else residual.square()).mean(dim=1)
        adam.zero_grad()
        loss.sum().backward()  # a sum over seeds keeps the gradient of each seed independent of the others
        model.clip_grad_norm_(recipe.clip)
        adam.param_groups[0]["lr"] = learning_rate(step)
        adam.step()
        after_step_(model)
        return ()

    train_step, steps = second_order_step if second_order else first_order_step, range(start, config.steps)
    # The second-order method decides on the host which steps it accepts, so it cannot be captured.
    for step, _ in training_steps(train_step, steps, config.evaluates_at, device, captured=not second_order):
        yield snapshot(step)


def error(prediction: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """The error, elementwise; for a relative loss divided by 1 + target."""
    return (prediction - target) / (1 + target) if loss == "relative" else prediction - target


def evaluate(model: Ensemble, data: Data) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``: mean absolute errors, and fractions of numbers that are correct when rounded."""
    metrics = {}
    model.eval()  # stochastic units draw no noise
    for name, (x, y) in {"train": data.train, "interpolation": data.validation, "extrapolation": data.test}.items():
        deviation = (model(x) - y).abs()
        metrics[f"{name}/error"] = deviation.mean(dim=1)
        metrics[f"exact/{name}"] = (deviation < 0.5).to(y.dtype).mean(dim=1)
    model.train()
    return {**metrics, "solved": metrics["exact/extrapolation"] == 1}


@torch.no_grad()
def predictions(config: Config, data: Data, best: dict[str, Any]) -> dict[str, np.ndarray]:
    """Test numbers and predictions of the seed with the lowest validation error, ``(numbers,)`` each.

    Args:
        best: from :meth:`tasks.number_translation.best_so_far.BestSoFar.state_dict`.
    """
    x, y = (part[chosen_seed(best)] for part in data.test)
    prediction = chosen_network(build(config.model, config.sizes), best)(x)
    return {"number": y.cpu().numpy(), "predicted": prediction.cpu().numpy()}
