"""The animation that a run writes, and the command that shows episodes of its agents."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from tasks.gridworld_time.film import SHOWN_T
from tasks.gridworld_time.watch import load
from tasks.harness.registry import load_task
from tasks.harness.training.run import run

MOVES = {"UP", "DOWN", "LEFT", "RIGHT", "PASS"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task, directory = load_task("gridworld_time"), tmp_path_factory.mktemp("runs") / "run"
    run(task, replace(task.smoke, steps=2, eval_every=2), directory)
    return directory


def watch(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tasks.gridworld_time.watch", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_run_writes_an_animation(trained: Path) -> None:
    with Image.open(trained / "episode.gif") as animation:
        assert animation.size == (4 * 56, 4 * (56 + 8))
        assert 2 * len(SHOWN_T) < animation.n_frames < sum(2 * T + 6 for T in SHOWN_T)


def test_without_a_terminal_episodes_are_printed(trained: Path, tmp_path: Path) -> None:
    done = watch("--run", str(trained), "--T", "7", "--episodes", "2", "--seed", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("T = 7") >= 2
    actions = [line for line in done.stdout.splitlines() if line and set(line.split()) <= MOVES]
    assert len(actions) == 2
    assert all(1 <= len(line.split()) <= 14 for line in actions)
    again = watch("--run", str(trained), "--T", "7", "--episodes", "2", "--gif", str(tmp_path / "a.gif"))
    assert (again.returncode, again.stderr) == (0, "")
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames > 2


def test_agents_of_every_seed_chunk_can_be_watched(trained: Path, tmp_path: Path) -> None:
    task = load_task("gridworld_time")
    run(task, replace(task.smoke, steps=2, eval_every=2), tmp_path / "chunked", seed_chunk=2)
    for seed in range(3):
        (_, whole, k), (_, chunked, index) = load(trained, seed), load(tmp_path / "chunked", seed)
        assert (k, index) == (seed, seed % 2)
        torch.testing.assert_close(
            whole.core.member(k).state_dict(), chunked.core.member(index).state_dict(), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            whole.encoders[k].state_dict(), chunked.encoders[index].state_dict(), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--T", "0"], "--T must lie in 1.."),
        (["--seed", "9"], "--seed must lie in 0..2, got 9"),
        (["--episodes", "0"], "--episodes must be at least 1, got 0"),
        (["--gif", "episode.png"], "--gif must be a file that ends in .gif, got episode.png"),
    ],
)
def test_bad_input_gives_one_line_and_status_2(trained: Path, arguments: list[str], message: str) -> None:
    done = watch("--run", str(trained), *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    done = watch("--run", str(tmp_path))
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert len(done.stderr.splitlines()) == 1
