"""Sweeps: skip, resume, stop."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.harness.directory import default_directory
from tasks.harness.errors import UserError
from tasks.harness.record import Run
from tasks.harness.registry import load_task
from tasks.harness.run import run
from tasks.harness.sweep import Job, sweep
from tests.test_command_line import heed_interrupts

TASK = load_task("static_arithmetic")


def jobs(root: Path) -> list[Job]:
    configs = [replace(TASK.smoke, op=op) for op in ("add", "sub", "mul")]
    return [Job(TASK.name, config, default_directory(TASK, config, root)) for config in configs]


def test_a_sweep_gives_the_records_of_single_runs_and_skips_what_is_complete(tmp_path: Path) -> None:
    todo = jobs(tmp_path / "sweep")
    run(TASK, todo[0].config, todo[0].directory)
    before = (todo[0].directory / "config.json").stat().st_mtime_ns
    sweep(todo, workers=2)
    assert (todo[0].directory / "config.json").stat().st_mtime_ns == before
    for job in todo[1:]:
        single = run(TASK, job.config, tmp_path / "single" / job.config.op)
        swept = Run.load(job.directory)
        assert swept.summary["rates"] == single.summary["rates"]
        assert swept.record().metrics.keys() == single.record().metrics.keys()
    sweep(todo, workers=2)


def test_a_failed_run_does_not_stop_the_others(tmp_path: Path) -> None:
    todo = jobs(tmp_path)
    todo[1].directory.mkdir(parents=True)
    (todo[1].directory / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"1 of 3 runs failed: .*holds other files"):
        sweep(todo, workers=1)
    assert [job.complete for job in todo] == [True, False, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_sweep_leaves_resumable_runs_and_no_process(tmp_path: Path, number: signal.Signals) -> None:
    command = [str(Path(sys.executable).parent / "nalu"), "reproduce", "--out", str(tmp_path), "--workers", "2"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    deadline = time.monotonic() + 100
    while len(list(tmp_path.rglob("metrics.csv"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    os.kill(process.pid, number) if number == signal.SIGTERM else os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("interrupted;")
    assert "Traceback" not in errors
    configs = [json.loads(path.read_text()) for path in tmp_path.rglob("config.json")]
    assert [config["status"] for config in configs] == ["interrupted", "interrupted"], configs
    assert group_ends(process.pid, seconds=20)


def group_ends(group: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
