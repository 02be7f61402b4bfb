"""A second process on a run directory is refused, and nothing is lost."""

import errno
import os
import re
import shlex
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.harness.contract import Snapshot
from tasks.harness.errors import UserError
from tasks.harness.files import METRICS, SUMMARY
from tasks.harness.registry import load_task
from tasks.harness.report.command_lines import run_command
from tasks.harness.report.evidence import copy_evidence
from tasks.harness.report.loading import read_runs
from tasks.harness.rundir import lock
from tasks.harness.rundir.lock import HOLDER as HOLDER_FILE
from tasks.harness.rundir.lock import LOCK, locked
from tasks.harness.training.run import run
from tests.helpers import call, files

TASK = load_task("single_module")
SETTING = replace(TASK.smoke, steps=20, eval_every=10, device="cpu")
HOLDER = f"is in use: process {os.getpid()} on {re.escape(socket.gethostname())} trains there"


def at_step(step: int, action: Callable[[], None]) -> Callable[[Snapshot], None]:
    return lambda snapshot: action() if snapshot.step == step else None


def check_free(directory: Path) -> None:
    """Check that no process holds the directory or is named as its holder."""
    assert not (directory / HOLDER_FILE).exists()
    with locked(directory):
        assert (directory / HOLDER_FILE).exists()


def test_a_second_process_is_refused_in_one_line_and_nothing_is_lost(tmp_path: Path) -> None:
    command = [sys.executable, *shlex.split(run_command(TASK, SETTING))[1:], "--out", "run", "--overwrite"]
    refused = []
    alone = run(TASK, SETTING, tmp_path / "alone")
    intrude = at_step(10, lambda: refused.append(call(command, tmp_path)))
    together = run(TASK, SETTING, tmp_path / "run", on_snapshot=intrude)
    (result,) = refused
    assert (result.returncode, result.stderr.count("\n"), result.stdout) == (2, 1, "")
    assert re.search(HOLDER, result.stderr), result.stderr
    assert (together.directory / METRICS).read_bytes() == (alone.directory / METRICS).read_bytes()
    assert together.description["status"] == "complete"
    check_free(tmp_path / "run")


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"overwrite": True}])
def test_a_second_process_is_refused_with_any_options(options: dict[str, bool], tmp_path: Path) -> None:
    run(TASK, SETTING, tmp_path)
    (tmp_path / SUMMARY).unlink()  # as if it were not complete
    with locked(tmp_path):
        before = files(tmp_path)
        with pytest.raises(UserError, match=HOLDER):
            run(TASK, SETTING, tmp_path, **options)
        assert files(tmp_path) == before


def test_the_lock_is_part_of_neither_a_report_nor_evidence(tmp_path: Path) -> None:
    finished = run(TASK, SETTING, tmp_path / "run")
    with locked(finished.directory):
        (found,), problems = read_runs([tmp_path])
        copy_evidence(found, tmp_path / "evidence")
    assert not problems
    assert not list((tmp_path / "evidence").rglob(LOCK))


def test_the_lock_file_of_a_killed_process_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("process 1 on another machine")
    run(TASK, SETTING, tmp_path)
    check_free(tmp_path)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, ValueError, MemoryError])
def test_a_failed_run_releases_its_lock(problem: type[BaseException], tmp_path: Path) -> None:
    def end() -> None:
        raise problem

    with pytest.raises(problem):
        run(TASK, SETTING, tmp_path, on_snapshot=at_step(10, end))
    check_free(tmp_path)
    assert run(TASK, SETTING, tmp_path, resume=True).description["status"] == "complete"


def test_a_directory_with_other_files_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match="contains files that are not from a run"):
        run(TASK, SETTING, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("number", lock.WITHOUT_LOCKS)
def test_file_systems_without_locks_are_used_without(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, **options: object) -> None:
        raise OSError(number, "cannot lock here")

    monkeypatch.setattr(lock.FileLock, "acquire", refuse)
    with locked(tmp_path / "network"), locked(tmp_path / "network"):
        pass


def test_a_read_only_directory_is_an_error_even_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(lock.FileLock, "acquire", refuse)
    with pytest.raises(OSError, match="Read-only"), locked(tmp_path):
        pass
