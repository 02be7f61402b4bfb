"""The number of threads of a run."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tasks.harness.contract import Snapshot
from tasks.harness.files import CONFIG, read_json, write_json
from tasks.harness.registry import load_task
from tasks.harness.training.run import run
from tests.helpers import forget_checksums

TASK = load_task("identity")
CONFIG_OF_RUN = replace(TASK.smoke, device="cpu")


def threads_of(directory: Path, *, resume: bool = False, task=TASK, threads: int | None = None) -> list[int]:
    """The numbers of threads at the evaluations of a run."""
    seen = []

    def look(snapshot: Snapshot) -> None:
        seen.append(torch.get_num_threads())

    run(task, CONFIG_OF_RUN, directory, resume=resume, threads=threads, on_snapshot=look)
    return seen


def unfinish(directory: Path) -> None:
    """Leave a run without results, as if it was killed before the end."""
    (directory / "summary.json").unlink()
    description = read_json(directory / CONFIG)
    write_json(directory / CONFIG, description | {"status": "running"})
    forget_checksums(directory)


@pytest.mark.parametrize(("given", "used"), [(None, 1), (3, 3)])
def test_a_run_uses_one_thread_or_those_given_and_records_them(tmp_path: Path, given: int | None, used: int) -> None:
    before = torch.get_num_threads()
    assert set(threads_of(tmp_path, threads=given)) == {used}
    assert read_json(tmp_path / CONFIG)["threads"] == used
    assert torch.get_num_threads() == before


def test_a_task_uses_its_own_number_but_not_more_than_there_are(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert set(threads_of(tmp_path / "two", task=replace(TASK, threads=2))) == {2}
        torch.set_num_threads(1)  # as OMP_NUM_THREADS=1 does, and a machine with one core
        assert set(threads_of(tmp_path / "one", task=replace(TASK, threads=2))) == {1}
    finally:
        torch.set_num_threads(before)


def test_a_resumed_run_keeps_its_threads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads_of(tmp_path, threads=2)
    unfinish(tmp_path)
    threads_of(tmp_path, resume=True)
    assert read_json(tmp_path / CONFIG)["resumed"][-1]["threads"] == 2
    assert "thread" not in capsys.readouterr().err


def test_a_resumed_run_with_other_threads_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads_of(tmp_path)
    unfinish(tmp_path)
    threads_of(tmp_path, resume=True, threads=2)
    assert read_json(tmp_path / CONFIG)["resumed"][-1]["threads"] == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "the run was started with 1 thread; with 2, the last bits of its results may differ"
    )
