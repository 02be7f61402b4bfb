"""What a trained network has learned: effective weights, sparsity, gates, discretised copies.

Everything here takes a single network or an :class:`nalu.Ensemble`; for an ensemble every result has a first axis of
size S.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from nalu import functional
from nalu.training.ensemble import Ensemble

M = TypeVar("M", bound=nn.Module)


@runtime_checkable
class Weighted(Protocol):
    """A module whose weights are to become -1, 0 or 1; see :class:`nalu.units.base.WeightedUnit`."""

    def effective_weights(self) -> dict[str, Tensor]:
        """The weights by the name of the part, each a matrix."""

    def snap_(self) -> None:
        """Set the parameters to the nearest such weights."""


@runtime_checkable
class Gated(Protocol):
    """A module whose gate chooses between an additive and a multiplicative path."""

    def gate_logits(self, x: Tensor) -> Tensor:
        """What the gate is the sigmoid of; broadcasts to ``(..., out_features)``. Positive: additive."""


@torch.no_grad()
def effective_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights that arithmetic units apply, by module name, each ``(out, in)`` or ``(S, out, in)``.

    ``layer`` for the main ones, ``layer.part`` for others, such as ``layer.mul`` for separate multiplicative weights of
    a NALU. Plain linear layers are listed by their weight; other modules are passed over.
    """
    weights: dict[str, Tensor] = {}
    for name, module in _modules(model):
        if isinstance(module, Weighted):
            for part, W in module.effective_weights().items():
                weights[f"{name}.{part}" if part else name] = W.detach()
        elif isinstance(module, nn.Linear):
            weights[name] = module.weight.detach()
    return weights


def sparsity_error(model: nn.Module) -> Tensor:
    """Largest distance of any effective weight to {-1, 0, 1}: a scalar, ``(S,)`` for an ensemble.

    max over all weight matrices of min(|w|, |1 - |w||) (Madsen & Johansen 2020, section 4.1); NaN where a weight is
    NaN, or where the model has no weights.
    """
    errors = [functional.sparsity(W).amax(dim=(-2, -1)) for W in effective_weights(model).values()]
    if errors:
        return torch.stack(errors).amax(dim=0)
    shape = (len(model),) if isinstance(model, Ensemble) else ()
    return torch.full(shape, float("nan"), device=next((p.device for p in model.parameters()), None))


@torch.no_grad()
def gate_openness(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The mean gate of every gated unit over the inputs ``x``, by module name, each ``(out,)`` or ``(S, out)``.

    1: additive path, 0: multiplicative path.

    Args:
        x: inputs of the whole network, ``(B, in)``; the same for all members of an ensemble.
    """
    if not isinstance(model, Ensemble):
        gates: dict[str, Tensor] = _GateProbe(model)(x)
        return gates
    probe = _GateProbe(model.template)
    tensors = {f"model.{name}": tensor for name, tensor in model.stacked().items()}
    stacked: dict[str, Tensor] = vmap(lambda member: functional_call(probe, member, (x,)))(tensors)
    return stacked


class _GateProbe(nn.Module):
    """Runs a network and returns the mean gates of its units in place of its output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        gates: dict[str, Tensor] = {}

        def record(name: str, module: Gated, inputs: tuple[Tensor, ...], _: Tensor) -> None:
            gate = torch.sigmoid(module.gate_logits(inputs[0]))
            gates[name] = gate.expand(*inputs[0].shape[:-1], gate.shape[-1]).flatten(0, -2).mean(dim=0)

        gated = [name for name, module in self.model.named_modules() if isinstance(module, Gated)]
        handles = [self.model.get_submodule(name).register_forward_hook(partial(record, name)) for name in gated]
        try:
            self.model(x)
        finally:
            for handle in handles:
                handle.remove()
        return gates


@torch.no_grad()
def snapped(model: M) -> M:
    """A copy whose arithmetic units have their weights snapped to the nearest of {-1, 0, 1}; the rest is untouched.

    NaN weights stay NaN.
    """
    snapped = copy.deepcopy(model)
    for _, module in _modules(snapped):
        if isinstance(module, Weighted):
            module.snap_()
    return snapped


def _modules(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Named modules, an ensemble's as those of one member."""
    root = model.template if isinstance(model, Ensemble) else model
    return list(root.named_modules())
