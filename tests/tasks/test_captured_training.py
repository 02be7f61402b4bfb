"""Training as on a GPU, where steps are captured: here without capturing, and on one where there is one."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from nalu.training import steps
from tasks.harness.contract import State, Task
from tasks.harness.registry import load_task, task_names
from tests.helpers import copied_metrics

TASKS = [load_task(name) for name in task_names()]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Uncaptured:
    """In the place of CUDA graphs: calls the step itself, with the tensors that a captured step gets."""

    def warm_up(self, function: Callable[[], Any]) -> Any:
        return function()

    def capture(self, function: Callable[[], Any]) -> Callable[[], Any]:
        return function


def trained(task: Task, device: str = "cpu", state: State | None = None) -> tuple[list[dict[str, torch.Tensor]], bytes]:
    """The metrics of a short run at all evaluated steps, and its state after half of them."""
    config = replace(task.smoke, seeds=2, steps=6, eval_every=3, generator="philox", device=device)
    metrics, saved = [], io.BytesIO()
    for snapshot in task.train(config, state):
        metrics.append({name: values.cpu() for name, values in copied_metrics(snapshot).items()})
        if snapshot.step == 3:
            torch.save(snapshot.state, saved)
    return metrics, saved.getvalue()


def loaded(saved: bytes) -> State:
    return torch.load(io.BytesIO(saved), map_location="cpu", weights_only=True)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_captured_steps_train_the_same_and_continue_each_other(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, on_numbers = trained(task)
    with monkeypatch.context() as as_on_gpu:
        as_on_gpu.setattr(steps, "capture_for", lambda device: Uncaptured())
        found, on_tensors = trained(task)
        continued, _ = trained(task, state=loaded(on_numbers))
    resumed, _ = trained(task, state=loaded(on_tensors))
    for metrics, others in ((found, expected), (resumed, expected[-1:]), (continued, expected[-1:])):
        torch.testing.assert_close(metrics, others, rtol=1e-4, atol=1e-5, equal_nan=True)


@needs_gpu
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_gpu_trains_the_same_and_its_checkpoint_continues_on_the_cpu(task: Task) -> None:
    expected, on_cpu = trained(task)
    found, on_gpu = trained(task, "cuda")
    resumed, _ = trained(task, state=loaded(on_gpu))
    continued, _ = trained(task, "cuda", state=loaded(on_cpu))
    for metrics, others in ((found, expected), (resumed, expected[-1:]), (continued, expected[-1:])):
        torch.testing.assert_close(metrics, others, rtol=1e-3, atol=1e-4, equal_nan=True)
