"""The gradient of an ensemble in one compiled call.

Arithmetic units are tiny: a training step in eager mode spends most of its time on starting operations and on passing
their results through memory. Compiled, the forward pass, the loss and the backward pass of all members become a few
loops that are started once.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, functionalize, grad_and_value
from torch.fx import GraphModule

from nalu.training.scratch import scratch_folder

SWITCH = "NALU_COMPILE"
"""The environment variable that turns compilation off when it is 0."""
MIN_COMPILED_STEPS = 10_000
"""From so many calls on, compiling saves more time than the seconds that it takes."""

Objective = Callable[..., tuple[Tensor, Tensor]]
"""``objective(model, *inputs)``: what is minimised, ``(S,)``, and what is reported."""


def compiler() -> str | None:
    """The C++ compiler, if one is found; none with NALU_COMPILE=0."""
    if os.environ.get(SWITCH, "1") == "0":
        return None
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))), None)


def worth_compiling(calls: int) -> bool:
    """Whether so many calls are worth compiling, and there is a compiler; never with NALU_COMPILE=0."""
    return calls >= MIN_COMPILED_STEPS and compiler() is not None


class CompiledBackward:
    """Computes what a training step needs: ``backward(*inputs)`` leaves the gradients in the parameters' ``grad``.

    Args:
        model: an :class:`nalu.Ensemble` of S members, or any module.
        objective: gives from the model and the inputs, which are tensors, what is minimised, ``(S,)``, and a tensor
            that is reported. The gradient is that of the sum over members, so that no member's depends on its
            companions.
        compiled: compile it at the first call; the results differ from uncompiled ones in rounding only. Inputs and
            parameters must then keep shape, dtype, device and memory layout, which is checked. Whatever else may change
            from call to call must be a parameter or a buffer of the model, or an input: all else stays as it was. If
            compiling fails, a warning says so, and calls are not compiled.

    Example:
        >>> model = Ensemble(lambda: NAC(2, 1), seeds=range(3))
        >>> def objective(model, x, y):
        ...     loss = (model(x) - y).square().mean(dim=(1, 2))
        ...     return loss, loss
        >>> loss = CompiledBackward(model, objective)(torch.rand(3, 128, 2), torch.rand(3, 128, 1))
    """

    def __init__(self, model: nn.Module, objective: Objective, *, compiled: bool = False) -> None:
        self._model = model
        self._objective = objective
        # Where the tensors are kept, and not the tensors: loading a state_dict may put others in their place.
        slots = list(_slots(model))
        self._trained = [slot for slot in slots if slot.is_trained]
        self._others = [slot for slot in slots if not slot.is_trained]
        self._to_compile = compiled
        self._compiled: Callable[..., Sequence[Tensor]] | None = None
        self._signature: list[Signature] = []

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Set the gradients; return what the objective reports, detached.

        Raises:
            ValueError: when it is compiled, and a tensor has another shape, dtype, device or memory layout than before.
        """
        if self._to_compile:
            self._to_compile = False
            try:
                # Chooses, when imported, the folder of its headers, which must outlive the scratch folder.
                importlib.import_module("torch._inductor.codecache")
                with _quiet(), scratch_folder():
                    compiled = self._compile(inputs)
                    self._signature = [_signature(tensor) for tensor in (*self._tensors(), *inputs)]
                    reported = self._compiled_call(compiled, inputs)
                self._compiled = compiled
                return reported
            except Exception as error:  # whatever a compiler, its headers or its cache may lack
                warnings.warn(f"training is not compiled: {str(error).strip().splitlines()[0]}", stacklevel=2)
        if self._compiled is not None:
            return self._compiled_call(self._compiled, inputs)
        for slot in self._trained:
            slot.tensor.grad = None
        minimised, reported = self._objective(self._model, *inputs)
        minimised.sum().backward()
        return reported.detach()

    def _compiled_call(self, compiled: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor]) -> Tensor:
        tensors = [*self._tensors(), *inputs]
        self._check(tensors)
        *gradients, reported = compiled(*tensors)
        for slot, gradient in zip(self._trained, gradients, strict=True):
            parameter = slot.tensor
            if gradient.stride() != parameter.stride():
                # A fused optimiser on the CPU reads both as they lie in memory.
                gradient = torch.empty_like(parameter).copy_(gradient)
            parameter.grad = gradient
        return reported

    def _tensors(self) -> list[Tensor]:
        return [slot.tensor.detach() for slot in (*self._trained, *self._others)]

    def _check(self, tensors: Sequence[Tensor]) -> None:
        """Compiled code reads memory as it lay at the first call; torch's own guards would cost half of a call."""
        for number, (tensor, expected) in enumerate(zip(tensors, self._signature, strict=True)):
            if _signature(tensor) != expected:
                slots = [*self._trained, *self._others]
                what = slots[number].name if number < len(slots) else f"input {number - len(slots)}"
                raise ValueError(
                    f"compiled for {what} of shape {tuple(expected[0])}, strides {expected[1]}, {expected[2]} on "
                    f"{expected[3]}; got {tuple(tensor.shape)}, {tensor.stride()}, {tensor.dtype} on {tensor.device}"
                )

    def _compile(self, inputs: Sequence[Tensor]) -> Callable[..., Sequence[Tensor]]:
        whole = _Whole(self._model, self._objective)
        names = [f"model.{slot.name}" for slot in (*self._trained, *self._others)]
        differentiated = len(self._trained)

        def total(parameters: dict[str, Tensor], others: dict[str, Tensor], inputs: Sequence[Tensor]) -> Any:
            minimised, reported = functional_call(whole, {**parameters, **others}, tuple(inputs))
            return minimised.sum(), reported

        def gradient(*tensors: Tensor) -> list[Tensor]:
            named = list(zip(names, tensors, strict=False))
            parameters, others = dict(named[:differentiated]), dict(named[differentiated:])
            gradients, (_, reported) = grad_and_value(total, has_aux=True)(parameters, others, tensors[len(names) :])
            return [*gradients.values(), reported]

        example: list[Any] = [*self._tensors(), *inputs]
        if any(tensor.is_cuda for tensor in example):
            # Starting the few kernels takes longest; nalu.training_steps captures them together with all other ones.
            return torch.compile(_own_copy(gradient), fullgraph=True, dynamic=False)
        # What torch.compile does after it has read the Python code and before it guards what it has read, at every
        # call: without that, a call costs half, and compiling a fifth.
        from torch import _inductor as inductor  # takes a second
        from torch.fx.experimental.proxy_tensor import make_fx

        graph = make_fx(functionalize(gradient))(*(tensor.clone() for tensor in example))  # it may write to its inputs
        _drop_copies(graph)
        # For several threads, sums over a few numbers would start and end them for each sum.
        compiled: Callable[..., Sequence[Tensor]] = inductor.compile(graph, example, {"cpp.threads": 1})
        return compiled


def _drop_copies(graph: GraphModule) -> None:
    """Take out what only changes how numbers lie in memory, which the compiler chooses; nothing writes to them."""
    for node in graph.graph.nodes:
        if node.target is torch.ops.aten.clone.default:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.recompile()


Signature = tuple[torch.Size, tuple[int, ...], torch.dtype, torch.device]
"""What compiled code takes for granted of a tensor."""


def _signature(tensor: Tensor) -> Signature:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


@dataclass(frozen=True)
class _Slot:
    """The place of a parameter or buffer in its module."""

    name: str
    holder: dict[str, Tensor | None]
    leaf: str
    is_trained: bool

    @property
    def tensor(self) -> Tensor:
        """What is there now."""
        tensor = self.holder[self.leaf]
        assert tensor is not None
        return tensor


def _slots(model: nn.Module) -> Iterator[_Slot]:
    """Of all parameters, then of all buffers; each tensor once."""
    seen: set[int] = set()
    for kind in ("_parameters", "_buffers"):
        for path, module in model.named_modules():
            for leaf, tensor in getattr(module, kind).items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    name = f"{path}.{leaf}" if path else leaf
                    yield _Slot(name, getattr(module, kind), leaf, tensor.requires_grad)


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
