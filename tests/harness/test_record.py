"""Records and checkpoints are read back, complete or damaged."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.harness.errors import UserError
from tasks.harness.files import read_json, write_json
from tasks.harness.record import Record
from tasks.harness.rundir import checkpoint
from tasks.harness.rundir.checkpoint import Checkpoint, Checkpointer

METRICS = "step,seed,loss,solved\n0,3,1.5,0\n0,4,nan,0\n10,3,0.25,1\n10,4,inf,0\n"


def write(directory: Path, text: str) -> Path:
    path = directory / "metrics.csv"
    path.write_text(text)
    return path


def test_metrics_by_step_and_seed(tmp_path: Path) -> None:
    record = Record.load(write(tmp_path, METRICS))
    assert record.steps.tolist() == [0, 10]
    assert record.seeds.tolist() == [3, 4]
    np.testing.assert_equal(record["loss"], [[1.5, np.nan], [0.25, np.inf]])
    np.testing.assert_equal(record["solved"], [[0, 0], [1, 0]])


@pytest.mark.parametrize("lost", range(1, len("10,3,0.25,1\n10,4,inf,0\n")))
def test_an_incomplete_last_step_is_left_out(tmp_path: Path, lost: int) -> None:
    record = Record.load(write(tmp_path, METRICS[:-lost]))
    assert record.steps.tolist() == [0]
    assert record.seeds.tolist() == [3, 4]


@pytest.mark.parametrize("line", ["10,3\n", "10,9,1.0,0\n", "20,3,1.0,0\n"])
def test_a_record_damaged_in_the_middle_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError, match="no readable record"):
        Record.load(write(tmp_path, METRICS.replace("10,3,0.25,1\n", line) + "20,3,1.0,0\n20,4,1.0,0\n"))


def test_a_record_with_only_a_header_is_empty(tmp_path: Path) -> None:
    record = Record.load(write(tmp_path, "step,seed,loss\n"))
    assert len(record.steps) == len(record.seeds) == 0


def test_a_long_record_is_held_in_little_more_than_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    rows = (f"{step},{seed},0.123456789,0.123456789\n" for step in range(4000) for seed in range(5))
    path.write_text("step,seed,interpolation/error,extrapolation/error\n" + "".join(rows))
    tracemalloc.start()
    try:
        record = Record.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    numbers = 4000 * 5 * 4
    assert record["extrapolation/error"].shape == (4000, 5)
    assert peak < 20 * numbers  # 8 bytes a number, and room to grow; a list of Python's numbers takes 32


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "step,seed,loss\n0,1,apple\n"])
def test_other_files_are_refused_as_records(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"metrics\.csv"):
        Record.load(write(tmp_path, text))


def test_missing_and_damaged_json(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for content in (None, "", "{", "[1]"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(UserError, match=r"config\.json"):
            read_json(path)
    write_json(path, {"a": [1, None]})
    assert read_json(path) == {"a": [1, None]}
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"], "no partial file is left"


def save(directory: Path, step: int) -> None:
    Checkpointer(directory).save(
        Checkpoint(step, 1.5, {"step": step, "model": {"w": torch.full((2,), float(step))}}, {})
    )


def test_the_newest_readable_checkpoint_is_used(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path) is None
    for step in (1, 2, 3):
        save(tmp_path, step)
    assert checkpoint.newest(tmp_path).step == 3
    damaged = tmp_path / checkpoint.NAME
    content = damaged.read_bytes()
    for kept in (0, 10, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:kept])
        found = checkpoint.newest(tmp_path)
        assert found.step == 2
        assert torch.equal(found.state["model"]["w"], torch.full((2,), 2.0))
    (tmp_path / checkpoint.SPARE).write_bytes(b"nothing")
    assert checkpoint.newest(tmp_path) is None


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path: Path) -> None:
    hostile = checkpoint._to_bytes(Checkpoint(1, 0.0, {"x": Path("/")}, {}))  # with a checksum that is right
    (tmp_path / checkpoint.NAME).write_bytes(hostile)
    assert checkpoint.newest(tmp_path) is None
    torch.save({"sha256": "", "payload": Path("/")}, tmp_path / checkpoint.NAME)
    assert checkpoint.newest(tmp_path) is None


def test_checkpoints_take_a_small_part_of_the_time(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path, minimum_interval=0.0)
    assert checkpointer.due()
    checkpointer.save(Checkpoint(0, 0.0, {"w": torch.zeros(100_000)}, {}))
    assert not checkpointer.due(), "the next checkpoint waits 50 times as long as this one took"
