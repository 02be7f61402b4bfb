"""What validation chooses: the parameters of every seed at the evaluated step with its lowest validation error."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nalu import Ensemble


class BestSoFar:
    """A copy of each seed's parameters at the evaluated step with its lowest validation error so far.

    Attributes:
        parameters: by name, with a first axis of seeds.
        error: the validation errors of these parameters, ``(S,)``; inf before the first :meth:`update`.
    """

    def __init__(self, model: Ensemble) -> None:
        self._model = model
        self.parameters = {name: tensor.detach().clone() for name, tensor in model.stacked().items()}
        self.error = torch.full((len(model),), torch.inf, device=next(model.parameters()).device)

    @torch.no_grad()
    def update(self, error: Tensor) -> None:
        """Copy the parameters of the seeds whose ``error``, ``(S,)``, is a new minimum."""
        better = error < self.error  # False for NaN
        self.error = torch.where(better, error, self.error)
        for name, tensor in self._model.stacked().items():
            self.parameters[name][better] = tensor[better]

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"error": self.error, "parameters": self.parameters}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.error = state["error"].to(self.error.device)
        for name, tensor in state["parameters"].items():
            self.parameters[name].copy_(tensor)


def lowest_error(best: dict[str, Any]) -> float:
    """The lowest validation error over all seeds.

    Args:
        best: from :meth:`BestSoFar.state_dict`.
    """
    return float(best["error"].min())


def chosen_seed(best: dict[str, Any]) -> int:
    """The index of the seed with the lowest validation error.

    Args:
        best: from :meth:`BestSoFar.state_dict`.
    """
    return int(best["error"].argmin())


def chosen_network(single: nn.Module, best: dict[str, Any]) -> nn.Module:
    """``single``, loaded with the parameters that have the lowest validation error, in evaluation mode.

    Args:
        single: the network of one seed; changed in place.
        best: from :meth:`BestSoFar.state_dict`.
    """
    parameters = {name: tensor[chosen_seed(best)] for name, tensor in best["parameters"].items()}
    example = next(iter(parameters.values()))
    single.to(example.device, example.dtype).load_state_dict(parameters)
    return single.eval()
