"""Training steps in a row; on a GPU captured in CUDA graphs, so that the host starts many steps at once.

A step of a small network is dozens of kernels, each of which takes the GPU less time than the host needs to start it.
A CUDA graph starts all kernels of several steps together. The same kernels then run on the same memory again, so
whatever changes from step to step must be a tensor on the device: the number of the step, and, from it, the random
numbers (a function of the step), the learning rate and other schedules (tables indexed by the step).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
from torch import Tensor

Step = int | Tensor
"""The number of a training step: an int, or in a captured step a scalar int64 tensor on the device."""
Outputs = TypeVar("Outputs", bound=Tensor | tuple[Tensor, ...])

STEPS_PER_GRAPH = 8
WARM_UP = 3
"""Steps before capturing, in which compilers compile and libraries allocate their memory."""


class Capture(Protocol):
    """How a function on tensors is captured."""

    def warm_up(self, function: Callable[[], Outputs]) -> Outputs:
        """Call the function as capturing requires it."""

    def capture(self, function: Callable[[], Outputs]) -> Callable[[], Outputs]:
        """A function that replays what ``function`` does to tensors, without calling it."""


class CUDAGraphs:
    """Captures functions as CUDA graphs."""

    def warm_up(self, function: Callable[[], Outputs]) -> Outputs:
        """Call the function on a side stream, as torch.cuda.graph requires it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = function()
        torch.cuda.current_stream().wait_stream(stream)
        return outputs

    def capture(self, function: Callable[[], Outputs]) -> Callable[[], Outputs]:
        """Capture one call of the function."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = function()

        def replay() -> Outputs:
            graph.replay()
            return outputs

        return replay


def capture_for(device: torch.device) -> Capture | None:
    """How training steps are captured on a device; None on a CPU, where nothing is gained by it."""
    return CUDAGraphs() if device.type == "cuda" else None


def training_steps(
    train_step: Callable[[Step], Outputs],
    steps: range,
    evaluates_at: Callable[[int], bool],
    device: torch.device,
    *,
    captured: bool = True,
) -> Iterator[tuple[int, Outputs]]:
    """Do the training steps t of ``steps``; where ``evaluates_at(t + 1)``, yield ``t + 1`` and the outputs of step t.

    Args:
        train_step: does step t. On a GPU it gets t as a tensor, and must neither read tensors on the host nor depend on
            anything but tensors that changes from step to step.
        evaluates_at: asked once for each step, in order.
        captured: whether to capture the steps on a GPU; False for a step that cannot be captured, which gets t as int.

    Example:
        >>> model, target = Ensemble(lambda: NAC(2, 1), seeds=range(3)), torch.ones(3, 8, 1)
        >>> optimizer = Adam(model.parameters())
        >>> backward = CompiledBackward(model, lambda model, x: [(model(x) - target).square().mean(dim=(1, 2))] * 2)
        >>> def train_step(step):
        ...     loss = backward(torch.rand(3, 8, 2))
        ...     optimizer.step()
        ...     return loss
        >>> for step, loss in training_steps(train_step, range(100), lambda step: step % 50 == 0, torch.device("cpu")):
        ...     print(step, loss.shape)
        50 torch.Size([3])
        100 torch.Size([3])
    """
    capture = capture_for(device) if captured else None
    if capture is None:
        for step in steps:
            outputs = train_step(step)
            if evaluates_at(step + 1):
                yield step + 1, outputs
        return
    steps_on_device = _CapturedSteps(train_step, torch.tensor(steps.start, device=device), capture)
    waiting = 0
    for step in steps:
        waiting += 1
        is_due = evaluates_at(step + 1)
        if is_due or waiting == STEPS_PER_GRAPH:
            outputs = steps_on_device.advance(waiting)
            waiting = 0
            if is_due:
                yield step + 1, _copy(outputs)


class _CapturedSteps(Generic[Outputs]):
    """Does steps: the first few directly, then by replaying one step, or ``STEPS_PER_GRAPH`` at once."""

    def __init__(self, train_step: Callable[[Step], Outputs], counter: Tensor, capture: Capture) -> None:
        self._train_step = train_step
        self._counter = counter
        self._capture = capture
        self._warm_up_left = WARM_UP
        self._replays: dict[int, Callable[[], Outputs]] = {}

    def advance(self, count: int) -> Outputs:
        """Do ``count`` steps, at least one; the outputs of the last one are overwritten by the next steps."""
        while count:
            if self._warm_up_left:
                self._warm_up_left -= 1
                done, outputs = 1, self._capture.warm_up(self._one)
            else:
                done = STEPS_PER_GRAPH if count >= STEPS_PER_GRAPH else 1
                outputs = self._replay(done)()
            count -= done
        return outputs

    def _one(self) -> Outputs:
        outputs = self._train_step(self._counter)
        self._counter.add_(1)
        return outputs

    def _several(self) -> Outputs:
        for _ in range(STEPS_PER_GRAPH):
            outputs = self._one()
        return outputs

    def _replay(self, steps: int) -> Callable[[], Outputs]:
        if steps not in self._replays:
            self._replays[steps] = self._capture.capture(self._one if steps == 1 else self._several)
        return self._replays[steps]


def _copy(outputs: Outputs) -> Outputs:
    copy: Any = outputs.clone() if isinstance(outputs, Tensor) else tuple(output.clone() for output in outputs)
    return cast(Outputs, copy)
