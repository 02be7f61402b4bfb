"""The check of a GPU against the CPU: here of the CPU against itself, and against a wrong one."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import cuda_check
from benchmarks.cuda_check import Comparison, Options, compare, largest_difference, table
from nalu.training import steps
from tasks.harness.contract import Snapshot, State
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task
from tests.helpers import call
from tests.tasks.test_captured_training import Uncaptured

TASK = load_task("static_arithmetic")


def test_captured_steps_pass_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "capture_for", lambda device: Uncaptured())
    found = compare(TASK, "cpu")
    assert found.passed
    assert found.repeats


def test_a_device_that_computes_something_else_fails() -> None:
    def wrong(config, state: State | None = None) -> Iterator[Snapshot]:
        for snapshot in TASK.train(replace(config, device="cpu"), state):
            if config.device == "meta":
                snapshot.metrics["train/loss"] = 1.01 * snapshot.metrics["train/loss"]
            yield snapshot

    assert compare(replace(TASK, train=wrong), "cpu").passed
    found = compare(replace(TASK, train=wrong), "meta")
    assert not found.passed
    assert found.metric == "train/loss"
    assert found.difference == pytest.approx(0.01, rel=1e-4)


def test_differences_are_relative_above_1_and_infinite_where_only_one_is_finite() -> None:
    def difference(one: float, other: float) -> float:
        return largest_difference([{"a": torch.tensor([one])}], [{"a": torch.tensor([other])}])[0]

    assert difference(0.5, 0.25) == 0.25
    assert difference(110.0, 100.0) == pytest.approx(0.1)
    assert difference(torch.nan, torch.nan) == difference(torch.inf, torch.inf) == 0
    assert difference(torch.nan, 1.0) == difference(1.0, torch.inf) == torch.inf


def test_the_table_names_what_failed() -> None:
    rows = table([Comparison("a", 0.0, "x", True), Comparison("b", 0.5, "y", False)], "GPU").rows
    assert rows == [["a", "0", "–", "yes", "passed"], ["b", "0.5", "y", "no", "failed"]]


def test_without_a_gpu_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_check, "has_gpu", lambda: False)
    with pytest.raises(UserError, match="needs a GPU"):
        Options()()
    with pytest.raises(UserError, match=r"--tasks must be among identity, .*, got nothing"):
        Options(tasks=("nothing",))()
    if not torch.cuda.is_available():
        failed = call([sys.executable, "-m", "benchmarks.cuda_check"], tmp_path)
        assert (failed.returncode, failed.stdout) == (2, "")
        assert failed.stderr == "error: this check needs a GPU that torch can use, but there is none\n"
