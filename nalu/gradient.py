"""The gradient of an ensemble in one compiled call.

Arithmetic units are tiny: a training step in eager mode spends most of its time on starting operations and on passing
their results through memory. Compiled, the forward pass, the loss and the backward pass of all members become a few
loops that are started once.
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

SWITCH = "NALU_COMPILE"
"""The environment variable that turns compilation off when it is 0."""
PAYS_FROM = 10_000
"""Calls from which on the seconds of compiling are won back."""

Objective = Callable[..., tuple[Tensor, Tensor]]
"""``objective(model, *inputs)``: what is minimised, ``(S,)``, and what is reported."""


def compiler() -> str | None:
    """The C++ compiler, if one is found; none with NALU_COMPILE=0."""
    if os.environ.get(SWITCH, "1") == "0":
        return None
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))), None)


def compiles(calls: int) -> bool:
    """Whether so many calls are worth compiling, and there is a compiler; never with NALU_COMPILE=0."""
    return calls >= PAYS_FROM and compiler() is not None


class Gradient:
    """Computes what a training step needs: ``gradient(*inputs)`` leaves the gradients in the parameters' ``grad``.

    Args:
        model: an :class:`nalu.Ensemble` of S members, or any module.
        objective: gives from the model and the inputs what is minimised, ``(S,)``, and a tensor that is reported. The
            gradient is that of the sum over members, so that no member's depends on its companions.
        compiled: compile it at the first call; the results differ from uncompiled ones in rounding only. Then inputs
            must keep their shapes, and numbers that change from call to call must be tensors. Where compiling fails, a
            warning says so, and the call is not compiled.

    Example:
        >>> model = Ensemble(lambda: NAC(2, 1), seeds=range(3))
        >>> def objective(model, x, y):
        ...     loss = (model(x) - y).square().mean(dim=(1, 2))
        ...     return loss, loss
        >>> loss = Gradient(model, objective)(torch.rand(3, 128, 2), torch.rand(3, 128, 1))
    """

    def __init__(self, model: nn.Module, objective: Objective, *, compiled: bool = False) -> None:
        self._model = model
        self._objective = objective
        self._parameters = {
            f"model.{name}": parameter for name, parameter in model.named_parameters() if parameter.requires_grad
        }
        self._compiled = self._compile() if compiled else None
        self._works = False

    def __call__(self, *inputs: Any) -> Tensor:
        """Set the gradients; return what the objective reports, detached."""
        if self._compiled is not None:
            if self._works:
                return self._compiled_call(*inputs)
            try:
                with _quiet():
                    reported = self._compiled_call(*inputs)
                self._works = True
                return reported
            except Exception as error:  # whatever a compiler, its headers or its cache may lack
                self._compiled = None
                warnings.warn(f"training is not compiled: {str(error).strip().splitlines()[0]}", stacklevel=2)
        for parameter in self._parameters.values():
            parameter.grad = None
        minimised, reported = self._objective(self._model, *inputs)
        minimised.sum().backward()
        return reported.detach()

    def _compiled_call(self, *inputs: Any) -> Tensor:
        assert self._compiled is not None
        detached = {name: parameter.detach() for name, parameter in self._parameters.items()}
        gradients, (_, reported) = self._compiled(detached, *inputs)
        for name, parameter in self._parameters.items():
            gradient = gradients[name]
            if gradient.stride() != parameter.stride():
                # A fused optimiser on the CPU reads both as they lie in memory.
                gradient = torch.empty_like(parameter).copy_(gradient)
            parameter.grad = gradient
        return reported

    def _compile(self) -> Callable[..., tuple[dict[str, Tensor], tuple[Tensor, Tensor]]]:
        whole = _Whole(self._model, self._objective)

        def total(parameters: dict[str, Tensor], *inputs: Any) -> tuple[Tensor, Tensor]:
            minimised, reported = functional_call(whole, parameters, inputs)
            return minimised.sum(), reported

        def gradient(parameters: dict[str, Tensor], *inputs: Any) -> Any:
            return grad_and_value(total, has_aux=True)(parameters, *inputs)

        # On a GPU the kernels are captured in a CUDA graph, so that they are started at once, too.
        on_gpu = any(parameter.is_cuda for parameter in self._parameters.values())
        mode = "reduce-overhead" if on_gpu else None
        return torch.compile(_own_copy(gradient), fullgraph=True, dynamic=False, mode=mode)


class _Whole(nn.Module):
    """Lets functional_call replace the model's parameters while the objective is computed."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, *inputs: Any) -> tuple[Tensor, Tensor]:
        return self.objective(self.model, *inputs)


def _own_copy(function: Any) -> Any:
    """A copy with a code object of its own, since torch keeps compiled versions, eight at most, by code object."""
    return FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__, None, function.__closure__
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's note, from each compilation, that a build for GPUs found none."""
    logger = logging.getLogger("torch.utils.cpp_extension")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
