"""Sweeps on a Ray cluster give the results of the local engine, whatever is killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tasks.harness.cli.commands import Reproduce
from tasks.harness.errors import OptionError, UserError
from tasks.harness.registry import load_task
from tasks.harness.sweep import ray_engine
from tasks.harness.sweep.local_engine import LocalEngine
from tasks.harness.sweep.ray_engine import RayEngine
from tasks.harness.sweep.sweep import Job, sweep
from tests.helpers import ROOT, arithmetic_jobs, call, heed_interrupts, wait_until

TASK = load_task("static_arithmetic")
LONG = replace(TASK.smoke, cell="nalu", steps=3000, eval_every=20)
"""Long enough for one or two checkpoints."""

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
NODE = {"num_cpus": 1, "object_store_memory": ray_engine.OBJECT_STORE, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each, on this machine."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        cluster.add_node(**NODE)
        yield cluster
    finally:
        cluster.shutdown()


DRIVER = """
import sys
from pathlib import Path
from tasks.harness.sweep.ray_engine import RayEngine
from tasks.harness.sweep.sweep import sweep
from tests.harness.sweep.test_ray import long_jobs
sweep(long_jobs(Path(sys.argv[2])), RayEngine(sys.argv[1], cores=1))
"""


def long_jobs(root: Path) -> list[Job]:
    return [Job(TASK.name, replace(LONG, op=op), root / op) for op in ("add", "sub")]


def drive(cluster: Any, root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, cluster.address, str(root)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def workers(cluster: Any) -> dict[int, int]:
    """The processes that train on the cluster now; for each, the process of its node."""
    nodes = {process.process.pid for node in cluster.list_all_nodes() for process in node.all_processes["raylet"]}
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [row.split(None, 2) for row in listing.splitlines()]
    return {int(pid): int(node) for pid, node, name in rows if int(node) in nodes and name.startswith("ray::_train")}


def config(job: Job) -> dict[str, Any]:
    return json.loads((job.directory / "config.json").read_text())


def assert_same_results(ours: list[Job], others: list[Job]) -> None:
    for one, other in zip(ours, others, strict=True):
        for name in ("metrics.csv", "summary.csv"):
            assert (one.directory / name).read_bytes() == (other.directory / name).read_bytes(), one
        assert config(one)["status"] == "complete"


@needs_ray
def test_the_same_results_and_failures_as_on_this_machine(cluster: Any, tmp_path: Path) -> None:
    spread, local = arithmetic_jobs(tmp_path / "ray"), arithmetic_jobs(tmp_path / "local")
    for todo in (spread, local):
        todo[1].directory.mkdir(parents=True)
        (todo[1].directory / "thesis.tex").write_text("mine")
    on_ray = RayEngine(cluster.address, cores=1)
    assert on_ray.workers == 2
    told = []
    for todo, engine in ((spread, on_ray), (local, LocalEngine(workers=1))):
        with pytest.raises(UserError) as failed:
            sweep(todo, engine)
        told.append(str(failed.value).replace(str(todo[1].directory), "DIRECTORY"))
    wanted = "1 of 3 runs failed: DIRECTORY: DIRECTORY contains files that are not from a run; use another --out"
    assert told == [wanted] * 2
    assert [job.complete for job in spread] == [True, False, True]
    assert_same_results(spread[::2], local[::2])


@needs_ray
@pytest.mark.slow
def test_killed_workers_and_a_killed_driver_resume_from_their_checkpoints(cluster: Any, tmp_path: Path) -> None:
    spread, local = long_jobs(tmp_path / "ray"), long_jobs(tmp_path / "local")

    first = drive(cluster, tmp_path / "ray")
    wait_until(lambda: all((job.directory / "checkpoint.pt").exists() for job in spread))
    at_work = workers(cluster)
    assert len(set(at_work.values())) == 2, "one on each node"
    for worker in at_work:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: all(len(config(job).get("resumed", [])) == 1 for job in spread))

    first.kill()
    first.wait()
    assert not any(job.complete for job in spread)
    wait_until(lambda: not workers(cluster), seconds=20)  # no worker outlives its driver

    assert drive(cluster, tmp_path / "ray").wait(timeout=100) == 0
    sweep(local, LocalEngine(workers=2))
    assert_same_results(spread, local)
    for job in spread:
        steps = [resumed["step"] for resumed in config(job)["resumed"]]
        assert len(steps) == 2, steps
        assert 0 < steps[0] <= steps[1] < LONG.steps


@needs_ray
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_sweep_leaves_resumable_runs(tmp_path: Path, number: signal.Signals) -> None:
    """The sweep starts the cluster itself."""
    nalu = str(Path(sys.executable).parent / "nalu")
    command = [nalu, "reproduce", "--engine", "ray", "--tasks", "static-arithmetic", "--workers", "2", "--out", "."]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    wait_until(lambda: len(list(tmp_path.rglob("metrics.csv"))) == 2)
    os.kill(process.pid, number) if number == signal.SIGTERM else os.killpg(process.pid, number)
    output, errors = process.communicate(timeout=60)
    assert "runs to do, 2 at a time" in output
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("interrupted.")
    assert "Traceback" not in output + errors
    assert [json.loads(path.read_text())["status"] for path in tmp_path.rglob("config.json")] == ["interrupted"] * 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "no Ray cluster at --address 127.0.0.1:1: Connection refused"),
        ("nowhere", "--address must be auto or HOST:PORT, got nowhere"),
    ],
)
@needs_ray
def test_a_missing_cluster_is_reported(address: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        RayEngine(address, cores=1)


def test_without_ray_one_line_says_how_to_get_it(tmp_path: Path) -> None:
    code = "import sys; sys.modules['ray'] = None; from tasks.harness.cli.main import console; console()"
    refused = call([sys.executable, "-c", code, "reproduce", "--engine", "ray", "--out", "runs"], tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == "error: --engine ray needs Ray: pip install 'nalu-suite[ray]'\n"
    assert refused.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(OptionError, match="--address needs --engine ray, got auto"):
        Reproduce(address="auto")
    with pytest.raises(
        OptionError, match="--workers cannot be combined with --address: a cluster runs one worker per core"
    ):
        Reproduce(engine="ray", address="auto", workers=2)
    with pytest.raises(OptionError, match="--workers must be at least 1, got 0"):
        Reproduce(workers=0)


def test_a_node_without_the_shared_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine.platform, "node", lambda: "node-7")
    absent = tmp_path / "runs"
    wanted = f"{absent} must be on a file system that all nodes share, but node-7 does not have it"
    assert ray_engine._train(Job(TASK.name, TASK.smoke, absent / "run"), tmp_path) == wanted
    assert ray_engine._train(Job(TASK.name, TASK.smoke, Path("run")), absent) == wanted
