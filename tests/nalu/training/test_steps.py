"""Training steps in a row: when they are captured, in which groups, and that they compute the same."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from nalu.training import steps
from nalu.training.scheduled import Scheduled
from nalu.training.steps import STEPS_PER_GRAPH, WARM_UP, Step, training_steps

CPU = torch.device("cpu")


class Recording:
    """Captures nothing, and counts what would be captured and replayed."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def warm_up(self, function: Callable[[], Any]) -> Any:
        self.log.append("warm-up")
        return function()

    def capture(self, function: Callable[[], Any]) -> Callable[[], Any]:
        name = function.__name__.strip("_")
        self.log.append(f"capture {name}")

        def replay() -> Any:
            self.log.append(name)
            return function()

        return replay


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Training steps on the CPU run as they would on a GPU."""
    capture = Recording()
    monkeypatch.setattr(steps, "capture_for", lambda device: capture)
    return capture


def numbers(evaluated: set[int], steps: range, **options: Any) -> tuple[list[int], list[tuple[int, float]]]:
    """The steps that were done, and what was yielded, with the number of the step as its output."""
    done: list[int] = []
    output = torch.zeros(())  # one tensor for all steps, like the memory of a graph

    def train_step(step: Step) -> Tensor:
        done.append(int(step))
        return output.copy_(torch.as_tensor(step))

    yielded = list(training_steps(train_step, steps, evaluated.__contains__, CPU, **options))
    return done, [(step, value.item()) for step, value in yielded]


EVALUATED = {1, 2, 11, 30, 31, 64}


@pytest.mark.parametrize("start", [0, 5, 31])
def test_every_step_is_done_once_in_order_and_evaluations_see_their_step(recording: Recording, start: int) -> None:
    done, yielded = numbers(EVALUATED, range(start, 64))
    assert done == list(range(start, 64))
    assert yielded == [(step, step - 1) for step in sorted(EVALUATED) if step > start]


def test_several_steps_are_replayed_at_once_but_never_beyond_an_evaluation(recording: Recording) -> None:
    numbers({WARM_UP, WARM_UP + 2 * STEPS_PER_GRAPH + 2}, range(WARM_UP + 2 * STEPS_PER_GRAPH + 2))
    assert recording.log == [
        *["warm-up"] * WARM_UP, "capture several", "several", "several", "capture one", "one", "one"
    ]  # fmt: skip


def test_on_a_cpu_steps_are_plain_numbers() -> None:
    assert numbers({3}, range(3)) == ([0, 1, 2], [(3, 0.0 + 2)])
    assert steps.capture_for(CPU) is None


def test_what_cannot_be_captured_is_not(recording: Recording) -> None:
    assert numbers({3}, range(3), captured=False)[0] == [0, 1, 2]
    assert not recording.log


def test_a_schedule_has_the_same_values_at_tensors() -> None:
    schedule = Scheduled(lambda step: 0.1 * step + 1, 5, CPU)
    assert schedule(3) == 1.3
    for step in range(5):
        for value in (schedule(torch.tensor(step)), schedule.tensor(torch.tensor(step)), schedule.tensor(step)):
            assert isinstance(value, Tensor)
            assert value.dtype == torch.float32
            assert value.shape == ()
            assert value.item() == pytest.approx(schedule(step), rel=1e-7)
