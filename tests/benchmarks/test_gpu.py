"""Benchmarks on a GPU, as far as they can be tested without one."""

import pytest
import torch

from benchmarks import candidate
from benchmarks.candidate import OURS, STEPS_PER_WAIT, GPUClock
from benchmarks.command import Options
from benchmarks.gpu import ON_CPU, faster_from
from benchmarks.measurement import Measurement
from tasks.harness.errors import UserError


def measurement(task: str, setting: str, name: str, models: int, microseconds: float) -> Measurement:
    return Measurement(task, setting, name, models, 1, "model-step", (), (microseconds,))


def test_a_gpu_pays_from_the_number_of_models_on_at_which_it_is_faster_in_all_settings() -> None:
    times = {  # of the GPU and of a CPU core, by task, setting and number of models
        ("a", "nac"): {1: (9, 1), 100: (1, 2), 1000: (1, 5)},
        ("a", "nalu"): {1: (1, 2), 100: (3, 2), 1000: (1, 5)},
        ("b", "nac"): {1: (9, 1), 100: (9, 1)},
        ("c", "nac"): {1: (1, 9), 100: (1, 9)},
    }
    found = [
        measurement(task, setting, name, models, time)
        for (task, setting), by_models in times.items()
        for models, pair in by_models.items()
        for name, time in zip((OURS, ON_CPU), pair, strict=True)
    ]
    assert faster_from(found) == {"a": 1000, "b": None, "c": 1}


def test_the_clock_of_a_gpu_waits_for_it_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU of this test takes a second a step, and the host no time at all."""
    now, started = [0.0], [0]

    def wait() -> None:
        now[0] += started[0]
        started[0] = 0

    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    monkeypatch.setattr(candidate.time, "perf_counter", lambda: now[0])
    clock = GPUClock()
    clock.start(1.5 * STEPS_PER_WAIT)
    steps = 0
    while not clock.is_due():
        started[0] += 1
        steps += 1
    assert steps == 2 * STEPS_PER_WAIT - 1  # the step that is asked about is not started yet
    assert clock.elapsed == steps


def test_a_gpu_that_is_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.command.has_gpu", lambda: False)
    with pytest.raises(UserError, match="--device cuda needs a GPU that torch can use, but there is none"):
        Options(device="cuda").check()
