"""Training the seeds in chunks gives the record of training them together."""

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from tasks.harness.contract import Task
from tasks.harness.finished_run import FinishedRun
from tasks.harness.registry import load_task, task_names
from tasks.harness.training import run as running
from tasks.harness.training.chunks import in_seed_chunks, sizes
from tasks.harness.training.processes import Processes
from tasks.harness.training.run import run
from tests.helpers import assert_same_record, call, copied_metrics


@pytest.mark.parametrize(
    ("seeds", "most", "processes", "expected"),
    [
        (7, None, 1, [7]),
        (7, 7, 1, [7]),
        (7, 100, 1, [7]),
        (100, 25, 1, [25] * 4),
        (26, 25, 1, [13, 13]),
        (7, 3, 1, [3, 2, 2]),
        (7, 1, 1, [1] * 7),
        (7, None, 2, [4, 3]),
        (100, 25, 3, [17, 17, 17, 17, 16, 16]),
        (2, None, 3, [1, 1]),
        (5, 2, 4, [2, 1, 1, 1]),
    ],
)
def test_chunks_are_nearly_equal_and_every_process_gets_as_many(
    seeds: int, most: int | None, processes: int, expected: list[int]
) -> None:
    assert sizes(seeds, most, processes) == expected


@pytest.fixture(params=task_names())
def task(request: pytest.FixtureRequest) -> Task:
    return load_task(request.param)


ROUNDING = {"rtol": 1e-4, "atol": 1e-5}
"""Of float32 over a few steps. Over many steps training a NALU is chaotic, and rounding alone separates two runs."""


def test_chunks_have_the_metrics_of_the_whole_in_every_task(task: Task) -> None:
    config = replace(task.smoke, steps=4, eval_every=2, seeds=3, first_seed=5)
    together = [copied_metrics(snapshot) for snapshot in task.train(config)]
    parted = [copied_metrics(snapshot) for snapshot in in_seed_chunks(task.train, 2, Processes())(config)]
    torch.testing.assert_close(parted, together, **ROUNDING, equal_nan=True)


def test_a_single_chunk_trains_as_the_task_itself() -> None:
    task = load_task("identity")
    for size in (None, task.smoke.seeds, 1000):
        first = next(in_seed_chunks(task.train, size, Processes())(task.smoke))
        assert "chunks" not in first.state


def test_chunks_resume_exactly_with_the_sizes_they_began_with(task: Task) -> None:
    config = replace(task.smoke, steps=4, eval_every=2, seeds=3)
    train = in_seed_chunks(task.train, 2, Processes())
    whole = [copied_metrics(snapshot) for snapshot in train(config)]
    for snapshot in islice(train(config), 2):
        state = snapshot.state
    resumed = [copied_metrics(snapshot) for snapshot in in_seed_chunks(task.train, 1, Processes())(config, state)]
    torch.testing.assert_close(resumed, whole[2:], rtol=0, atol=0, equal_nan=True)


def test_a_run_in_chunks_records_all_seeds(tmp_path: Path) -> None:
    task = load_task("number_translation")
    config = replace(task.smoke, steps=2, eval_every=1)
    whole, parted = (run(task, config, tmp_path / str(chunk), seed_chunk=chunk) for chunk in (None, 2))
    assert parted.record().seeds.tolist() == list(config.seed_range)
    assert_same_record(parted, whole, **ROUNDING)


@pytest.mark.parametrize(
    ("device", "asked", "expected"), [("cpu", None, 2), ("cpu", 3, 3), ("cuda", None, None), ("cuda", 3, 3)]
)
def test_the_task_sets_the_default_chunk_on_a_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, asked: int | None, expected: int | None
) -> None:
    class Seen(Exception):
        pass

    def see(train: object, most: int | None, processes: object) -> None:
        raise Seen(most)

    task = replace(load_task("identity"), seed_chunk=2)
    monkeypatch.setattr(running, "in_seed_chunks", see)
    monkeypatch.setattr(task.config, "torch_device", lambda self: torch.device(device))
    monkeypatch.setattr(running.provenance, "describe", lambda device: {})
    with pytest.raises(Seen, match=f"^{expected}$"):
        run(task, task.smoke, tmp_path / "run", seed_chunk=asked)


def test_the_option_seed_chunk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tasks.blog_example", "--seeds", "5", "--steps", "3", "--out"]
    for name, more in (("whole", []), ("parted", ["--seed-chunk", "2"])):
        done = call([*command, name, *more], tmp_path)
        assert done.returncode == 0, done.stderr
    whole, parted = (FinishedRun.load(tmp_path / name) for name in ("whole", "parted"))
    assert_same_record(parted, whole, **ROUNDING)
    refused = call([*command, "no", "--seed-chunk", "0"], tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: --seed-chunk must be at least 1, got 0")
    assert not (tmp_path / "no").exists()
