"""Sweeps skip complete runs, resume killed ones and stop cleanly."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot
from tasks.harness.errors import UserError
from tasks.harness.files import read_json
from tasks.harness.finished_run import FinishedRun
from tasks.harness.registry import load_task
from tasks.harness.rundir.checkpoint import Checkpointer
from tasks.harness.sweep import estimate as estimating
from tasks.harness.sweep import local_engine
from tasks.harness.sweep.estimate import WORKER_START, Cost, estimate, format_duration
from tasks.harness.sweep.local_engine import LocalEngine
from tasks.harness.sweep.sweep import Job, sweep
from tasks.harness.training.run import run
from tests.helpers import arithmetic_jobs, assert_same_record, heed_interrupts, wait_until

TASK = load_task("static_arithmetic")


def modified(jobs: list[Job]) -> list[int]:
    """When each run last wrote its config.json."""
    return [(job.directory / "config.json").stat().st_mtime_ns for job in jobs]


def test_a_sweep_skips_complete_runs_and_records_what_single_runs_do(tmp_path: Path) -> None:
    jobs = arithmetic_jobs(tmp_path / "sweep")
    run(TASK, jobs[0].config, jobs[0].directory)
    (before,) = modified(jobs[:1])
    sweep(jobs, LocalEngine(workers=2))
    assert modified(jobs)[0] == before
    for job in jobs[1:]:
        single = run(TASK, job.config, tmp_path / "single" / job.config.op)
        assert_same_record(FinishedRun.load(job.directory), single)
    swept = modified(jobs)
    sweep(jobs, LocalEngine(workers=2))
    assert modified(jobs) == swept


def test_a_failed_run_does_not_stop_the_others(tmp_path: Path) -> None:
    jobs = arithmetic_jobs(tmp_path)
    jobs[1].directory.mkdir(parents=True)
    (jobs[1].directory / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"1 of 3 runs failed: .*contains files that are not from a run"):
        sweep(jobs, LocalEngine(workers=1))
    assert [job.complete for job in jobs] == [True, False, True]


@dataclass(frozen=True)
class Fatal(Job):
    """A job whose worker is killed ``times`` times while it trains, as a machine short of memory does."""

    times: int

    def train(self) -> None:
        mark = self.directory.with_suffix(".killed")
        killed = len(mark.read_bytes()) if mark.exists() else 0

        def kill(snapshot: Snapshot) -> None:
            if snapshot.step > 0 and killed < self.times:
                mark.write_bytes(bytes(killed + 1))
                os.kill(os.getpid(), signal.SIGKILL)

        torch.set_num_threads(1)
        Checkpointer.due = lambda self: True
        run(TASK, self.config, self.directory, resume=self.directory.exists(), on_snapshot=kill)


def test_a_sweep_resumes_the_run_of_a_killed_worker_and_gives_the_same_results(tmp_path: Path) -> None:
    config = replace(TASK.smoke, steps=80, eval_every=20)
    other = arithmetic_jobs(tmp_path)[0]
    sweep([Fatal(TASK.name, config, tmp_path / "run", times=1), other], LocalEngine(workers=2))
    assert other.complete
    alone = run(TASK, config, tmp_path / "alone")
    for name in ("metrics.csv", "summary.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (alone.directory / name).read_bytes()
    assert [session["step"] for session in FinishedRun.load(tmp_path / "run").description["resumed"]] == [20]


def test_a_sweep_gives_up_when_its_workers_are_killed_repeatedly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_engine, "RETRIES", 1)
    config = replace(TASK.smoke, steps=80, eval_every=20)
    with pytest.raises(UserError, match=r"1 of 1 runs failed: .*killed repeatedly .*; try fewer --workers"):
        sweep([Fatal(TASK.name, config, tmp_path / "run", times=9)], LocalEngine(workers=1))
    assert len((tmp_path / "run.killed").read_bytes()) == 2
    assert read_json(tmp_path / "run" / "config.json")["resumed"][0]["step"] == 20


@pytest.mark.parametrize("stop", ["terminated", "interrupted", "interrupted five times", "killed"])
def test_a_stopped_sweep_leaves_resumable_runs_and_no_process(tmp_path: Path, stop: str) -> None:
    nalu = str(Path(sys.executable).parent / "nalu")
    command = [nalu, "reproduce", "--tasks", "static-arithmetic", "--out", str(tmp_path), "--workers", "2"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    wait_until(lambda: len(list(tmp_path.rglob("metrics.csv"))) == 2)
    time.sleep(0.5)
    if stop in ("terminated", "killed"):
        process.send_signal(signal.SIGTERM if stop == "terminated" else signal.SIGKILL)
    else:  # a terminal interrupts the workers, too
        for _ in range(5 if "five" in stop else 1):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.01)
    output, errors = process.communicate(timeout=60)  # waits for the workers, too: they share these pipes
    runs = len(load_task("static_arithmetic").sweep["quick"])
    assert re.search(rf"{runs} of {runs} runs to do, 2 at a time; measuring ...\nestimate: about \d", output)
    assert process.returncode == (-signal.SIGKILL if stop == "killed" else 130)
    assert stop == "killed" or errors.splitlines()[-1].startswith("interrupted.")
    assert "Traceback" not in errors
    configs = [json.loads(path.read_text()) for path in tmp_path.rglob("config.json")]
    assert [config["status"] for config in configs] == ["interrupted", "interrupted"], configs
    wait_until(lambda: group_has_ended(process.pid), seconds=20)


def test_an_estimate_sums_the_runs_scaled_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "measure", lambda job: Cost(start=1.0, step=0.1, evaluation=0.5))
    directory = Path("nowhere")
    config = replace(TASK.smoke, seeds=4, steps=100, eval_every=50)  # 3 evaluations: 1 + 10 + 1.5 seconds
    half = replace(config, seeds=2)  # half the steps and evaluations, the same start
    both = [Job(TASK.name, config, directory), Job(TASK.name, half, directory)]
    assert estimate(both, workers=1) == pytest.approx(12.5 + 6.75 + WORKER_START)
    assert estimate(both, workers=2) == pytest.approx(12.5 + WORKER_START), "at least the longest run"
    assert estimate([], workers=2) == 0


def test_a_measurement_separates_steps_from_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def train(config: Config, state: object = None) -> Iterator[Snapshot]:
        clock[0] += 2.0  # networks and data
        if state is None:
            clock[0] += 0.5
            yield Snapshot(0, {}, torch.nn.Identity(), {"step": 0})
        clock[0] += 0.01 * config.eval_every + 0.5
        yield Snapshot(config.eval_every, {}, torch.nn.Identity(), {})

    monkeypatch.setattr(estimating, "load_task", lambda name: replace(TASK, train=train))
    monkeypatch.setattr(estimating, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    cost = estimating.measure(Job(TASK.name, TASK.smoke, Path("nowhere")))
    assert (cost.start, cost.step) == (2.5, pytest.approx(0.01))
    assert cost.evaluation == pytest.approx(2.5), "includes the time to resume from a state"


def test_a_measurement_writes_no_files(tmp_path: Path) -> None:
    estimating.measure(Job(TASK.name, TASK.smoke, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_durations_are_rounded_to_what_an_estimate_knows() -> None:
    words = [format_duration(seconds) for seconds in (0, 44, 99, 100, 3599, 6000, 36_000)]
    assert words == ["10 seconds", "40 seconds", "100 seconds", "2 minutes", "60 minutes", "1.7 hours", "10.0 hours"]


def group_has_ended(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
