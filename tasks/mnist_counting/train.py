"""The training loop of MNIST counting and addition, its loss and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from nalu import Adam, after_step_, training_steps
from nalu.functional import sparsity
from nalu.training.scheduled import Scheduled
from nalu.training.steps import Step
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import curve
from tasks.mnist_counting.data import Data, Series, digit_accuracy, mean_absolute
from tasks.mnist_counting.digits import load_digits, resolve
from tasks.mnist_counting.model import (
    Encoder,
    Networks,
    build_recurrent,
    mean_gate,
    penalty,
    recurrent_weights,
    snapped,
)
from tasks.mnist_counting.options import Config
from tasks.mnist_counting.pictures import pictures


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds side by side; see :class:`tasks.harness.contract.Train`."""
    device, data_dir, recipe = config.torch_device(), Path(config.data_dir), config.recipe
    data = Data(
        config.target,
        load_digits(resolve(config.dataset, data_dir), data_dir),
        config.seed_range,
        batch_size=recipe.batch_size,
        eval_size=config.eval_size,
        device=device,
        generator=config.data_generator,
    )
    model = build(config).to(device)
    groups = [
        {"params": list(model.encoders.parameters()), "rate": recipe.encoder_rate},
        {"params": list(model.recurrent.parameters()), "rate": recipe.cell_rate},
    ]
    optimizer = Adam([group for group in groups if group["params"]])

    def snapshot(step: int, loss: Tensor) -> Snapshot:
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        metrics = {"train/loss": loss.detach(), **evaluate(config, data, model)}
        return Snapshot(step, metrics, model.recurrent, state, figures=pictures(data, model, config.first_seed))

    if state is None:
        start = 0
        with torch.no_grad():
            images, answers = data.batch(0)
            loss = squared_error(model(images), answers, config, config.bias_weight_at(0))
        yield snapshot(0, loss)
    else:
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    bias_weight, penalty_weight, rate_factor = (
        Scheduled(schedule, config.steps, device)
        for schedule in (config.bias_weight_at, config.penalty_at, config.rate_factor)
    )

    def train_step(step: Step) -> Tensor:
        images, answers = data.batch(step)
        loss = squared_error(model(images), answers, config, bias_weight(step))
        objective = loss
        if recipe.penalty > 0:
            objective = loss + penalty_weight(step) * penalty(model.recurrent)
        optimizer.zero_grad()
        objective.sum().backward()  # a sum over seeds keeps the gradient of each seed independent of the others
        model.clip_grad_norm_(config.clip)
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * rate_factor(step)
        optimizer.step()
        after_step_(model.recurrent)
        return loss

    for step, loss in training_steps(train_step, range(start, config.steps), config.evaluates_at, device):
        yield snapshot(step, loss)


def build(config: Config) -> Networks:
    """The networks of all seeds."""
    recipe, outputs = config.recipe, config.problem.outputs
    return Networks(
        lambda: Encoder(outputs, softmax=recipe.encoder == "softmax"),
        lambda: build_recurrent(
            config.cell,
            outputs,
            outputs,
            hidden=recipe.hidden_size or 0,  # only baselines have a hidden size, and only they use it
            product=config.target == "product",
            recurrent_start=recipe.recurrent_start,
            input_start=recipe.input_start,
            gate_bias=recipe.gate_bias,
            init=config.init,
        ),
        config.seed_range,
        natively_batched=config.cell in ("nac", "nau"),
    )


def squared_error(predictions: Tensor, answers: Tensor, config: Config, bias_weight: float | Tensor) -> Tensor:
    """The loss of every seed, ``(S, B, T, outputs), (S, B, T, outputs) -> (S,)``; see ``Config.bias_weight``."""
    error = predictions - answers
    if not config.problem.every_step:
        error = error[:, :, -1]
    bias = error.mean(dim=1, keepdim=True)
    return ((error - bias).square() + bias_weight * bias.square()).flatten(1).mean(dim=1)


@torch.no_grad()
def evaluate(config: Config, data: Data, model: Networks) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``. Each image is encoded only once; the cell alone runs over the series."""
    model.eval()  # stochastic units draw no noise
    validation = model.encode_shared(data.validation_images)
    test = model.encode_shared(data.test_images)
    lengths = config.problem.lengths

    def errors(recurrent: torch.nn.Module, features: Tensor, series: Series) -> Tensor:
        """Errors after the last digit, ``(S, N, outputs)``."""
        return recurrent(features[:, series.indices])[:, :, -1] - series.answers

    inner = errors(model.recurrent, validation, data.validation)
    outer = {n: errors(model.recurrent, test, series) for n, series in data.test.items()}
    metrics = {
        "interpolation/error": mean_absolute(inner),
        "extrapolation/error": mean_absolute(outer[lengths[-1]]),
        **{curve(n): mean_absolute(error) for n, error in outer.items()},
        **{f"exact/{n}": (error.abs() < 0.5).all(dim=-1).float().mean(dim=1) for n, error in outer.items()},
        "accuracy/digit": digit_accuracy(outer[1] + data.test[1].answers, data.test[1].answers),
    }
    if config.problem.every_step:
        metrics |= {f"squared/{n}": error.square().mean(dim=(1, 2)) for n, error in outer.items()}
    gate = mean_gate(model.recurrent, validation[:, data.validation.indices])
    if gate is not None:
        metrics["gate/mean"] = gate
    W = recurrent_weights(model.recurrent)
    if W is not None:
        rounded = snapped(model.recurrent)
        metrics["weights/sparsity"] = sparsity(W).amax(dim=(-2, -1))
        metrics["snapped/interpolation"] = mean_absolute(errors(rounded, validation, data.validation))
        for n, series in data.test.items():
            metrics[f"snapped/{n}"] = mean_absolute(errors(rounded, test, series))
    model.train()
    return metrics
