"""Runs survive faults: a kill at any moment, a full disk, damaged files, wrong clocks, diverged seeds.

The processes are forked from a server that has already imported everything, so each starts at once.
"""

import json
import multiprocessing
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tasks.harness.cli.main import MEMORY, run_task
from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, State
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, METRICS, SEED_SUMMARY, SUMMARY, read_json
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.registry import load_task
from tasks.harness.report.command_lines import run_command
from tasks.harness.report.report import report
from tasks.harness.rundir import checkpoint, tensorboard
from tasks.harness.rundir.checkpoint import Checkpointer
from tasks.harness.rundir.directory import PARTIAL
from tasks.harness.sweep.sweep import Job
from tasks.harness.training.run import run
from tests.helpers import files, without_times

TASK = load_task("single_module")
SETTING = replace(TASK.smoke, steps=60, eval_every=10, device="cpu")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.truncate"}
MOUNT = ["mount", "-t", "tmpfs", "-o"]

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__, "scipy.stats", "torch._dynamo", "matplotlib.backends.backend_agg"])


def in_a_process(work: Callable[..., None], *arguments: Any, after: float | None = None) -> int | None:
    """Call ``work`` in a process and return its exit status; kill it ``after`` so many seconds, if given."""
    process = SERVER.Process(target=work, args=arguments)
    process.start()
    if after is not None:
        process.join(after)
        process.kill()
    process.join(100)
    return process.exitcode


def train(directory: Path, kill_before: int = 0) -> None:
    """Start or resume a run, with a checkpoint at every evaluation and few pictures: they take most of the time."""
    kill_before_change(directory, kill_before)
    torch.set_num_threads(1)
    Checkpointer.due = lambda self: True
    tensorboard.IMAGES = 1
    run(TASK, SETTING, directory, resume=(directory / CONFIG).exists())


def write_report(runs: Path, out: Path, kill_before: int = 0) -> None:
    """Write a report."""
    kill_before_change(out, kill_before)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        report([runs], out)


def command(
    directory: Path, scratch: Path, *options: str, limits: Mapping[int, int] | None = None
) -> tuple[int | None, str]:
    """Run the command line under the limits of ``setrlimit``; return its exit status and standard error."""
    words = shlex.split(run_command(TASK, SETTING))[3:]
    told = scratch / "stderr.txt"
    status = in_a_process(_command, [*words, "--out", str(directory), *options], told, limits or {})
    return status, told.read_text()


def _command(words: list[str], told: Path, limits: Mapping[int, int]) -> None:
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))
    with (
        Path(os.devnull).open("w") as nowhere,
        told.open("w") as errors,
        redirect_stdout(nowhere),
        redirect_stderr(errors),
    ):
        run_task(TASK.name, words)


def kill_before_change(directory: Path, number: int) -> None:
    """Kill this process just before its ``number``-th change in a directory: opening to write, renaming, deleting."""
    left = number

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if not (event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING)):
            return
        if str(arguments[0]).startswith(str(directory)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw few pictures in the runs of the test's own process, too."""
    monkeypatch.setattr(tensorboard, "IMAGES", 1)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("undisturbed") / "run"
    assert in_a_process(train, directory) == 0
    return directory


def check_same(directory: Path, undisturbed: Path) -> None:
    for name in (METRICS, SEED_SUMMARY):
        assert (directory / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert without_times(directory / SUMMARY) == without_times(undisturbed / SUMMARY)
    assert read_json(directory / CONFIG)["status"] == "complete"
    assert not list(directory.glob(PARTIAL))


def check_whole(directory: Path) -> None:
    """Check that every file a killed process left can be read."""
    for path in directory.rglob("[!.]*"):
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.name == METRICS and path.stat().st_size:
            Record.load(path)
        elif path.suffix == ".html":
            assert path.read_text().endswith("</html>\n")
        elif path.suffix == ".png":
            assert b"IEND" in path.read_bytes()[-12:]
    assert (checkpoint.newest(directory) is None) == (not list(directory.glob("checkpoint*.pt")))


def test_a_run_killed_before_a_change_of_a_file_ends_the_same(
    tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "run"
    sessions = 1
    while (status := in_a_process(train, directory, sessions)) == -signal.SIGKILL:
        check_whole(directory)
        sessions += 1  # each session gets one change further than the previous one
    assert status == 0
    assert sessions > 10
    check_same(directory, undisturbed)
    assert capsys.readouterr().err == "", "no checkpoint was damaged"


@pytest.mark.slow
def test_a_run_killed_once_before_any_change_of_a_file_ends_the_same(tmp_path: Path, undisturbed: Path) -> None:
    change = 1
    while in_a_process(train, tmp_path / str(change), change) == -signal.SIGKILL:
        check_whole(tmp_path / str(change))
        assert in_a_process(train, tmp_path / str(change)) == 0
        check_same(tmp_path / str(change), undisturbed)
        change += 1
    assert change > 25


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_time_ends_the_same(kills: int, tmp_path: Path, undisturbed: Path) -> None:
    moments = random.Random(kills)
    begun = time.monotonic()
    assert in_a_process(train, tmp_path / "whole") == 0
    length = time.monotonic() - begun
    done = 0
    for number in range(kills):
        directory = tmp_path / f"run-{number}"
        # A resumed session is shorter; it is killed, too, if it lasts that long.
        while in_a_process(train, directory, after=moments.uniform(0, 1) * length) == -signal.SIGKILL and done < kills:
            check_whole(directory)
            done += 1
        assert in_a_process(train, directory) == 0
        check_same(directory, undisturbed)
        if done >= kills:
            break
    assert done >= kills


@pytest.mark.parametrize("changes", [(1, 4, 9), pytest.param(range(1, 100), marks=pytest.mark.slow)])
def test_a_killed_report_is_complete_when_written_again(
    changes: Sequence[int], tmp_path: Path, undisturbed: Path
) -> None:
    assert in_a_process(write_report, undisturbed, tmp_path / "first") == 0
    for change in changes:
        status = in_a_process(write_report, undisturbed, tmp_path / "report", change)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        check_whole(tmp_path / "report")
    assert in_a_process(write_report, undisturbed, tmp_path / "report") == 0
    assert files(tmp_path / "report") == files(tmp_path / "first")


def stop_at(step: int, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt a run after ``step``; it keeps checkpoints of that step and of the evaluation before."""

    def interrupt(snapshot: Snapshot) -> None:
        if snapshot.step == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpointer, "due", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        run(TASK, SETTING, directory, on_snapshot=interrupt)


def shorten(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_the_previous_checkpoint_replaces_a_damaged_one(
    share: float, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_at(40, tmp_path, monkeypatch)
    shorten(tmp_path / checkpoint.NAME, share)
    run(TASK, SETTING, tmp_path, resume=True)
    told = f"{tmp_path}: checkpoint.pt is damaged; using the previous one (step 30)\n"
    assert capsys.readouterr().err == told
    check_same(tmp_path, undisturbed)


def test_without_a_readable_checkpoint_a_run_restarts_and_says_so(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_at(40, tmp_path, monkeypatch)
    for name in (checkpoint.NAME, checkpoint.SPARE):
        shorten(tmp_path / name, 0.5)
    run(TASK, SETTING, tmp_path, resume=True)
    told = f"{tmp_path}: checkpoint.pt and checkpoint.previous.pt are damaged; there is no other\n"
    assert capsys.readouterr().err == told
    check_same(tmp_path, undisturbed)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9])
def test_a_record_that_ends_before_the_checkpoint_is_not_resumed(
    share: float, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(40, tmp_path, monkeypatch)
    shorten(tmp_path / METRICS, share)
    before = files(tmp_path)
    with pytest.raises(UserError, match=r"no readable record in .*metrics\.csv|metrics\.csv is damaged: .* step 40"):
        run(TASK, SETTING, tmp_path, resume=True)
    assert files(tmp_path) == before, "it is left as it was"
    run(TASK, SETTING, tmp_path, overwrite=True)
    check_same(tmp_path, undisturbed)


def test_rows_after_the_checkpoint_are_written_again(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(40, tmp_path, monkeypatch)
    record = (tmp_path / METRICS).read_text()
    others = "".join(row.replace("40,", "50,", 1) for row in record.splitlines(keepends=True)[-SETTING.seeds :])
    (tmp_path / METRICS).write_text(record + others[:-5])
    run(TASK, SETTING, tmp_path, resume=True)
    check_same(tmp_path, undisturbed)


def test_a_shortened_event_file_harms_neither_the_run_nor_tensorboard(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(40, tmp_path, monkeypatch)
    (events,) = tmp_path.glob("events.out.tfevents.*")
    shorten(events, 0.9)
    run(TASK, SETTING, tmp_path, resume=True)
    check_same(tmp_path, undisturbed)
    shown = EventAccumulator(str(tmp_path)).Reload().Scalars("interpolation/error/median")
    assert [event.step for event in shown][-2:] == [50, 60]


@pytest.mark.parametrize("name", [SUMMARY, SEED_SUMMARY])
@pytest.mark.parametrize("damage", ["shortened", "cut after a line", "too deep", "missing"])
def test_damaged_results_are_made_again_from_the_checkpoint(
    name: str, damage: str, tmp_path: Path, undisturbed: Path
) -> None:
    directory = shutil.copytree(undisturbed, tmp_path / "run")
    path = directory / name
    if damage == "shortened":
        shorten(path, 0.9)
    elif damage == "cut after a line":
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    elif damage == "too deep":
        path.write_text("[" * 10**5)
    else:
        path.unlink()
    job = Job(TASK.name, SETTING, directory)
    assert not job.complete
    for kept in directory.glob("checkpoint*.pt"):
        kept.rename(kept.with_suffix(".away"))
    before = files(directory)
    with pytest.raises(UserError, match="cannot be read, and there is no checkpoint to rebuild them from; use --over"):
        run(TASK, SETTING, directory, resume=True)
    assert files(directory) == before, "it is left as it was"
    for kept in directory.glob("*.away"):
        kept.rename(kept.with_suffix(".pt"))
    job.train()
    assert job.complete
    check_same(directory, undisturbed)


@pytest.mark.parametrize("content", ["", '{"task":', "[" * 10**5, "[]", "{}"])
def test_damaged_options_are_reported_in_one_line(content: str, tmp_path: Path, undisturbed: Path) -> None:
    directory = shutil.copytree(undisturbed, tmp_path / "run")
    (directory / CONFIG).write_text(content)
    before = files(directory)
    told = "error: .*(no readable config.json in|must hold a JSON object|holds a run of None).*\n"
    check_one_line(command(directory, tmp_path, "--resume"), told)
    assert files(directory) == before, "it is left as it was"


def check_one_line(command_ended: tuple[int | None, str], line: str) -> None:
    status, told = command_ended
    assert (status, told.count("\n")) == (2, 1), told
    assert re.fullmatch(line, told), told


FULL = "error: cannot read or write .*: (File too large|No space left on device)"
KEPT = "; the record so far is kept; continue with --resume\n"


@pytest.mark.parametrize(
    ("size", "line"),
    [
        (600, f"{FULL}\n"),  # too little for config.json
        (1500, FULL + KEPT),  # for metrics.csv
        (20_000, FULL + KEPT),  # for a checkpoint
        (100_000, FULL + KEPT),  # for the events
    ],
)
def test_a_full_disk_is_reported_in_one_line_and_the_run_resumes_later(
    size: int, line: str, tmp_path: Path, undisturbed: Path
) -> None:
    directory = tmp_path / "run"
    check_one_line(command(directory, tmp_path, limits={resource.RLIMIT_FSIZE: size}), line)
    assert not list(directory.glob(PARTIAL))
    check_whole(directory)
    assert in_a_process(train, directory) == 0
    check_same(directory, undisturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB. Only the superuser can mount it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run([*MOUNT, "size=64k", "none", disk], capture_output=True).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_file_system_without_space_is_reported_and_the_run_resumes_later(
    small_disk: Path, tmp_path: Path, undisturbed: Path
) -> None:
    directory = small_disk / "run"
    check_one_line(command(directory, tmp_path), FULL + KEPT)
    check_whole(directory)
    subprocess.run([*MOUNT, "remount,size=10m", small_disk], check=True)
    assert in_a_process(train, directory) == 0
    check_same(directory, undisturbed)


@pytest.fixture
def read_only(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[Path], Path]]:
    """Copies a run to where nobody can write.

    Permissions do not stop the superuser, who gets a file system mounted read-only instead.
    """
    made = []

    def copy(run: Path) -> Path:
        if os.geteuid() == 0:
            disk = request.getfixturevalue("small_disk")
            subprocess.run([*MOUNT, "remount,size=10m", disk], check=True)
            directory = shutil.copytree(run, disk / "run")
            subprocess.run([*MOUNT, "remount,ro", disk], check=True)
            return directory
        directory = shutil.copytree(run, tmp_path / "read-only")
        directory.chmod(0o555)
        made.append(directory)
        return directory

    yield copy
    for directory in made:
        directory.chmod(0o755)


def test_a_read_only_run_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: Callable[[Path], Path]
) -> None:
    stop_at(40, tmp_path / "run", monkeypatch)
    directory = read_only(tmp_path / "run")
    before = files(directory)
    denied = "error: cannot read or write .*: (Read-only file system|Permission denied)"
    check_one_line(command(directory, tmp_path, "--resume"), denied + KEPT)
    check_one_line(command(directory, tmp_path, "--overwrite"), denied + KEPT)
    check_one_line(command(directory / "new", tmp_path), f"{denied}\n")
    assert files(directory) == before
    assert in_a_process(write_report, directory, tmp_path / "report") == 0


def test_a_complete_read_only_run_is_shown(
    tmp_path: Path, undisturbed: Path, read_only: Callable[[Path], Path]
) -> None:
    assert command(read_only(undisturbed), tmp_path, "--resume") == (0, "")


def test_sizes_too_large_for_memory_are_reported_with_advice(tmp_path: Path) -> None:
    sizes = ["--seeds", "20000", "--batch-size", "1000000"]
    limits = {resource.RLIMIT_AS: 16 * 2**30}
    line = f"error: {MEMORY}.*\n"
    check_one_line(command(tmp_path / "run", tmp_path, *sizes, limits=limits), line)
    assert read_json(tmp_path / "run" / CONFIG)["status"] == "failed"


def test_a_run_that_failed_for_lack_of_memory_resumes_later(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(snapshot: Snapshot) -> None:
        if snapshot.step == 40:
            torch.empty(2**60, dtype=torch.uint8)

    monkeypatch.setattr(Checkpointer, "due", lambda self: True)
    with pytest.raises(RuntimeError, match="allocate memory"):
        run(TASK, SETTING, tmp_path, on_snapshot=short)
    assert read_json(tmp_path / CONFIG)["status"] == "failed"
    run(TASK, SETTING, tmp_path, resume=True)
    check_same(tmp_path, undisturbed)


@pytest.mark.parametrize("hours", [-10_000, 10_000])
def test_setting_the_clock_changes_no_result(
    hours: int, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time

    def set_clock(snapshot: Snapshot) -> None:
        if snapshot.step == 20:
            monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours)

    finished = run(TASK, SETTING, tmp_path, on_snapshot=set_clock)
    check_same(tmp_path, undisturbed)
    assert 0 < finished.summary["wall_seconds"] < 100


def test_a_clock_that_stands_still_changes_no_result(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    run(TASK, SETTING, tmp_path)
    check_same(tmp_path, undisturbed)


@pytest.mark.parametrize("poisoned", [[1], [0, 1, 2]])
def test_a_diverged_seed_fails_and_changes_no_other(
    poisoned: list[int], tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def poison(config: Config, state: State | None = None) -> Iterator[Snapshot]:
        for snapshot in TASK.train(config, state):
            yield snapshot
            if snapshot.step == 20:
                with torch.no_grad():
                    for parameter in snapshot.model.parameters():
                        parameter[poisoned] = torch.nan

    finished = run(replace(TASK, train=poison), SETTING, tmp_path / "run")
    whole = FinishedRun.load(undisturbed)
    record, before = finished.record(), whole.record()
    sound = [seed for seed in range(SETTING.seeds) if seed not in poisoned]
    for metric, values in record.metrics.items():
        np.testing.assert_array_equal(values[:, sound], before[metric][:, sound], metric)
        np.testing.assert_array_equal(values[:3], before[metric][:3], metric)
    for error in ("interpolation/error", "extrapolation/error"):
        assert np.isnan(record[error][3:, poisoned]).all()
    assert {rate["of"] for rate in finished.rates.values()} == {SETTING.seeds}
    assert finished.rates["diverged"]["count"] == len(poisoned)
    assert np.flatnonzero(finished.per_seed["diverged"]).tolist() == poisoned
    for result, values in whole.per_seed.items():
        np.testing.assert_array_equal(finished.per_seed[result][sound], values[sound], result)
    report([tmp_path / "run"], tmp_path / "report")
    assert capsys.readouterr().out.endswith("index.html\n")
    assert (tmp_path / "report" / "index.html").exists()
