"""``nalu show``: what a trained network computes, as a formula, as trained and after rounding."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import nn

from nalu import Ensemble, functional, inspection
from nalu.formula import formulas, network_weights
from tasks.harness.contract import Task
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, read_json
from tasks.harness.registry import find_task, load_task
from tasks.harness.tables import number
from tasks.harness.terminal.sanitize import sanitize
from tasks.harness.training.trained_seed import load_trained_model

ERROR = "extrapolation/error"


@dataclass(frozen=True, kw_only=True)
class Show:
    """Show what a trained network computes, as a formula, as trained and rounded."""

    run: tyro.conf.Positional[Path]
    """The directory of a run."""
    seed: int | None = None
    """The random seed of the network; by default the run's first seed."""

    def __call__(self) -> None:
        """Print the formulas.

        Raises:
            UserError: when the directory holds no run, or one that has no arithmetic units.
        """
        task = load_task(find_task(str(read_json(self.run / CONFIG).get("task"))))
        trained, model = load_trained_model(task, self.run, self.seed)
        seed = trained.config.seed_range[trained.index]
        print(sanitize(f"{task.command} {trained.config.label()}, seed {seed}, after {trained.state['step']} steps"))
        for line in describe(task, trained.config, model, trained.index):
            print(sanitize(line))


def describe(task: Task, config: Any, model: nn.Module, k: int) -> Iterator[str]:
    """The formulas of member k of a model: as trained, with rounded weights, and with rounded weights of the whole.

    Raises:
        UserError: when the model is not an ensemble of networks with arithmetic units or linear layers.
    """
    if not isinstance(model, Ensemble) or not inspection.effective_weights(model):
        raise UserError(f"a network of {task.command} has no arithmetic units, so it has no formula")
    yield from _version("as trained", task, config, model, k)
    if any(isinstance(module, inspection.Weighted) for module in model.modules()):
        title = "rounded, each weight to the nearest of -1, 0 and 1"
        yield from _version(title, task, config, inspection.snapped(model), k)
    whole = network_weights(model.template)
    if whole is None:
        yield f"largest distance of a weight to -1, 0 or 1: {number(inspection.sparsity_error(model)[k].item())}"
        return
    distances = [inspection.sparsity_error(model)[k], functional.sparsity(whole[k]).max()]
    if len(inspection.effective_weights(model)) > 1:
        yield from _version("rounded, the weights of the whole network", task, config, _linear(model, whole), k)
    yield "largest distance of a weight to -1, 0 or 1: {}; of a weight of the whole network: {}".format(
        *(number(distance.item()) for distance in distances)
    )


def _version(title: str, task: Task, config: Any, model: Ensemble, k: int) -> Iterator[str]:
    error = ""
    if task.evaluate is not None:
        metrics = task.evaluate(config, model)
        if ERROR in metrics:
            error = f": extrapolation error {number(metrics[ERROR][k].item())}"
    yield ""
    yield title + error
    for line in formulas(model.member(k)):
        yield f"  {line}"


@torch.no_grad()
def _linear(model: Ensemble, weights: torch.Tensor) -> Ensemble:
    """Linear networks with these weights of all seeds, rounded."""
    _, outputs, inputs = weights.shape
    rounded = Ensemble(lambda: nn.Linear(inputs, outputs, bias=False), model.seeds)
    rounded.template.weight.copy_(weights.round())
    return copy.deepcopy(rounded)
