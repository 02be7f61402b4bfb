"""A run in chunks of seeds is the run of all of them."""

import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from tasks.harness.contract import Snapshot, Task
from tasks.harness.files import SUMMARY, read_json
from tasks.harness.registry import load_task, task_names
from tasks.harness.training import run as running
from tasks.harness.training.chunks import in_seed_chunks, sizes
from tasks.harness.training.processes import Processes
from tasks.harness.training.run import run


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


def metrics(snapshot: Snapshot) -> dict[str, torch.Tensor]:
    return {name: values.clone() for name, values in snapshot.metrics.items()}


def test_every_task_has_the_same_metrics(task: Task) -> None:
    # Over longer runs float32 rounding alone may separate them: training a NALU is chaotic.
    config = replace(task.smoke, steps=4, eval_every=2, seeds=3, first_seed=5)
    together = [metrics(snapshot) for snapshot in task.train(config)]
    parted = [metrics(snapshot) for snapshot in in_seed_chunks(task.train, 2, Processes())(config)]
    torch.testing.assert_close(parted, together, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_what_is_no_split_changes_nothing() -> None:
    task = load_task("identity")
    for size in (None, task.smoke.seeds, 1000):
        first = next(in_seed_chunks(task.train, size, Processes())(task.smoke))
        assert "chunks" not in first.state


def test_goes_on_from_its_own_state_with_the_chunks_it_began_with(task: Task) -> None:
    config = replace(task.smoke, steps=4, eval_every=2, seeds=3)
    train = in_seed_chunks(task.train, 2, Processes())
    whole = [metrics(snapshot) for snapshot in train(config)]
    for snapshot in islice(train(config), 2):
        state = snapshot.state
    resumed = [metrics(snapshot) for snapshot in in_seed_chunks(task.train, 1, Processes())(config, state)]
    torch.testing.assert_close(resumed, whole[2:], rtol=0, atol=0, equal_nan=True)


def test_the_record_has_all_seeds(tmp_path: Path) -> None:
    task = load_task("number_translation")
    config = replace(task.smoke, steps=2, eval_every=1)
    whole, parted = (run(task, config, tmp_path / str(chunk), seed_chunk=chunk).record() for chunk in (None, 2))
    assert parted.seeds.tolist() == whole.seeds.tolist() == list(config.seed_range)
    assert parted.steps.tolist() == whole.steps.tolist()


@pytest.mark.parametrize(
    ("device", "asked", "expected"), [("cpu", None, 2), ("cpu", 3, 3), ("cuda", None, None), ("cuda", 3, 3)]
)
def test_a_task_says_how_many_seeds_are_fastest_on_a_cpu(
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


def test_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tasks.blog_example", "--seeds", "5", "--steps", "3", "--out"]
    for name, more in (("whole", []), ("parted", ["--seed-chunk", "2"])):
        subprocess.run([*command, str(tmp_path / name), *more], check=True, capture_output=True)
    one, other = (read_json(tmp_path / name / SUMMARY) for name in ("whole", "parted"))
    assert one["metrics"].keys() == other["metrics"].keys()
    assert one["rates"] == other["rates"]
    refused = subprocess.run(
        [*command, str(tmp_path / "no"), "--seed-chunk", "0"], check=False, capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: --seed-chunk must be at least 1, got 0")
    assert not (tmp_path / "no").exists()
