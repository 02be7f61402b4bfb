"""What validation chooses: the parameters of every seed at the best of its evaluated steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nalu import Ensemble


class Best:
    """Parameters by name, each with a first axis of seeds, and the validation errors ``(S,)`` that they had."""

    def __init__(self, model: Ensemble) -> None:
        self._model = model
        self.parameters = {name: tensor.detach().clone() for name, tensor in model.stacked().items()}
        self.error = torch.full((len(model),), torch.inf, device=next(model.parameters()).device)

    @torch.no_grad()
    def update(self, error: Tensor) -> None:
        """Keep the parameters of the seeds whose ``error`` is lower than ever."""
        better = error < self.error  # NaN is not
        self.error = torch.where(better, error, self.error)
        for name, tensor in self._model.stacked().items():
            self.parameters[name][better] = tensor[better]

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"error": self.error, "parameters": self.parameters}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.error = state["error"].to(self.error.device)
        for name, tensor in state["parameters"].items():
            self.parameters[name].copy_(tensor)


def lowest_error(best: dict[str, Any]) -> float:
    """The lowest validation error of all seeds, from :meth:`Best.state_dict`."""
    return float(best["error"].min())


def chosen_seed(best: dict[str, Any]) -> int:
    """The place of the seed that has it."""
    return int(best["error"].argmin())


def chosen_network(single: nn.Module, best: dict[str, Any]) -> nn.Module:
    """``single`` with the parameters of that seed, as they were when it had that error."""
    parameters = {name: tensor[chosen_seed(best)] for name, tensor in best["parameters"].items()}
    example = next(iter(parameters.values()))
    single.to(example.device, example.dtype).load_state_dict(parameters)
    return single
