"""A run in several processes gives the record of a run in one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch
from torch import nn

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, State
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, METRICS, SEED_SUMMARY, SUMMARY, read_json
from tasks.harness.registry import load_task
from tasks.harness.training.chunks import in_seed_chunks
from tasks.harness.training.processes import Processes
from tests.helpers import copied_metrics, heed_interrupts, wait_until

FAILS, DIES, LARGE = 113, 214, 315
"""Seeds that make a process raise an error, be killed, or send a large state."""


def taught(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Training whose metrics name the process that made them."""
    start = -1 if state is None else state["step"]
    for step in range(start + 1, config.steps + 1):
        if FAILS in config.seed_range:
            raise UserError(f"seed {FAILS} fails")
        if DIES in config.seed_range and step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        seeds = torch.tensor(list(config.seed_range), dtype=torch.float64)
        metrics = {
            "seed": seeds + step,
            "process": torch.full_like(seeds, os.getpid()),
            "threads": torch.full_like(seeds, torch.get_num_threads()),
        }
        weights = torch.zeros(20_000_000 if LARGE in config.seed_range else 1)
        yield Snapshot(step, metrics, nn.Linear(1, 1), {"step": step, "weights": weights})


def test_each_process_trains_its_part() -> None:
    config = Config(seeds=5, steps=3)
    with Processes(2) as processes:
        snapshots = list(in_seed_chunks(taught, 1, processes)(config))
        assert len(active_children()) == 1
    assert not active_children()
    assert [snapshot.step for snapshot in snapshots] == [0, 1, 2, 3]
    for step, snapshot in enumerate(snapshots):
        assert snapshot.metrics["seed"].tolist() == [step + seed for seed in range(5)]
        mine = (snapshot.metrics["process"] == os.getpid()).tolist()
        assert mine == [True, False, True, False, True]
        assert snapshot.metrics["process"].unique().numel() == 2
        assert isinstance(snapshot.model, nn.Linear)


@pytest.mark.parametrize("count", [1, 2])
def test_each_process_uses_the_threads_given_and_they_are_restored(count: int) -> None:
    before = torch.get_num_threads()
    with Processes(count, threads=before + 2) as processes:
        first = next(in_seed_chunks(taught, None, processes)(Config(seeds=2, steps=1)))
        assert first.metrics["threads"].tolist() == [before + 2] * 2
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["static_arithmetic", "number_translation", "gridworld_time"])
def test_results_do_not_depend_on_the_processes(name: str) -> None:
    task = load_task(name)
    config = replace(task.smoke, steps=4, eval_every=2, seeds=4)
    found = []
    for count in (1, 2):
        with Processes(count, threads=1) as processes:
            snapshots = in_seed_chunks(task.train, 2, processes)(config)
            found.append([copied_metrics(snapshot) for snapshot in snapshots])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0, equal_nan=True)


def test_resumes_with_other_processes() -> None:
    task = load_task("identity")
    config = replace(task.smoke, steps=4, eval_every=2, seeds=4)
    whole = [snapshot.metrics for snapshot in in_seed_chunks(task.train, 2, Processes())(config)]
    with Processes(2) as processes:
        for snapshot in islice(in_seed_chunks(task.train, None, processes)(config), 2):
            state = snapshot.state
    assert state["sizes"] == [2, 2]
    (resumed,) = (snapshot.metrics for snapshot in in_seed_chunks(task.train, None, Processes())(config, state))
    torch.testing.assert_close(resumed, whole[-1], rtol=1e-5, atol=1e-6, equal_nan=True)


def test_an_error_in_another_process_is_raised_in_the_main_one() -> None:
    with pytest.raises(UserError, match=f"seed {FAILS} fails"), Processes(2) as processes:
        list(in_seed_chunks(taught, None, processes)(Config(first_seed=FAILS - 1, seeds=2, steps=3)))
    assert not active_children()


def test_a_killed_process_is_reported_in_one_line() -> None:
    message = "was killed \\(out of memory\\?\\).*continue with --resume"
    with pytest.raises(UserError, match=message), Processes(2) as processes:
        list(in_seed_chunks(taught, None, processes)(Config(first_seed=DIES - 1, seeds=2, steps=3)))
    assert not active_children()


def test_a_process_killed_while_it_sends_a_snapshot_is_reported_too() -> None:
    with Processes(2) as processes:
        snapshots = in_seed_chunks(taught, None, processes)(Config(first_seed=LARGE - 1, seeds=2, steps=3))
        next(snapshots)
        time.sleep(0.3)  # until the other process has sent a part of its next snapshot, and waits
        (other,) = active_children()
        other.kill()
        with pytest.raises(UserError, match="was killed"):
            next(snapshots)
    assert not active_children()


COMMAND = [sys.executable, "-m", "tasks.identity", "--cell", "relu", "--seeds", "4", "--eval-every", "50"]


def test_the_option_processes(tmp_path: Path) -> None:
    for name, more in (("one", []), ("two", ["--processes", "2"])):
        command = [*COMMAND, "--steps", "100", "--seed-chunk", "2", "--out", str(tmp_path / name), *more]
        subprocess.run(command, check=True, capture_output=True)
    one, two = tmp_path / "one", tmp_path / "two"
    assert read_json(two / CONFIG)["processes"] == 2
    for name in (METRICS, SEED_SUMMARY):
        assert (one / name).read_text() == (two / name).read_text()
    assert read_json(one / SUMMARY)["metrics"] == read_json(two / SUMMARY)["metrics"]


def test_too_few_processes_are_refused(tmp_path: Path) -> None:
    command = [*COMMAND, "--processes", "0", "--out", str(tmp_path / "no")]
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: --processes must be at least 1, got 0")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_all_processes_end_with_the_main_one(tmp_path: Path, number: int) -> None:
    run_directory = tmp_path / "run"
    command = [*COMMAND, "--processes", "2", "--out", str(run_directory)]
    long = [*command, "--steps", "10000000"]
    with subprocess.Popen(long, stderr=subprocess.PIPE, preexec_fn=heed_interrupts) as main:
        metrics = run_directory / METRICS
        wait_until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 50)
        family = processes_below(main.pid)
        assert family
        main.send_signal(number)
        main.wait(60)
    wait_until(lambda: not any(map(alive, family)))
    status = read_json(run_directory / CONFIG)["status"]
    assert status == ("interrupted" if number == signal.SIGINT else "running")


def processes_below(pid: int) -> list[int]:
    """The descendants of a process."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listed.splitlines())}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True).stdout
    return bool(listed.strip()) and not listed.startswith("Z")
