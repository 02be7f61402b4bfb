"""The benchmarks: what they count and compare. How fast anything is, is not tested."""

import itertools
import json
import math
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import candidate, command, profile
from benchmarks.candidate import BASELINE, FLOOR, OURS, Candidate, Target, repeated, training
from benchmarks.measurement import Measurement, as_json, faster_than, measure, tasks, verdicts
from benchmarks.products import Products
from benchmarks.tasks import gridworld_time, single_module
from nalu.training.compiled import SWITCH
from tasks import TASKS, identity
from tasks.harness.contract import Snapshot
from tasks.harness.errors import UserError
from tasks.single_module.data import Data
from tasks.single_module.train import Config, train

KEYS = {
    "task", "setting", "candidate", "models", "threads", "unit", "microseconds", "repetitions", "noise",
    "times_faster_than_baseline", "times_the_floor", "targets",
}  # fmt: skip


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")


def measurement(name: str, models: int, *microseconds: float, **options: object) -> Measurement:
    given = {"task": "t", "setting": "s", "threads": 1, "unit": "model-step", "targets": (), **options}
    return Measurement(name=name, models=models, microseconds=microseconds, **given)


OWN = measurement(OURS, 100, 4.0, 5.0, 9.0, targets=(Target(20, BASELINE), Target(0.5, FLOOR), Target(1, "absent")))
FOUND = [
    measurement(BASELINE, 1, 200.0),
    OWN,
    measurement(FLOOR, 100, 2.0),
    measurement(FLOOR, 1, 1.0),
    measurement(BASELINE, 1, 1e6, threads=2),
    measurement(BASELINE, 1, 1e6, setting="another"),
]


def test_median_and_noise():
    assert OWN.median == 5
    assert OWN.noise == pytest.approx((7 - 4.5) / 5)


def test_comparisons_are_within_a_setting_and_a_number_of_threads():
    assert faster_than(OWN, BASELINE, FOUND) == 40
    assert faster_than(OWN, FLOOR, FOUND) == pytest.approx(2 / 5)  # of as many models
    assert faster_than(replace(OWN, models=25), FLOOR, FOUND) is None
    assert faster_than(OWN, "absent", FOUND) is None


def test_targets():
    assert [verdict.met for verdict in verdicts(OWN, FOUND)] == [True, False]
    assert verdicts(replace(OWN, threads=2), FOUND) == []


def test_values_for_json():
    values = as_json(OWN, FOUND)
    assert set(values) == KEYS
    assert values["times_faster_than_baseline"] == 40
    assert values["times_the_floor"] == pytest.approx(2.5)
    assert [target["met"] for target in values["targets"]] == [True, False]


def test_a_repeated_step_counts_its_units(monkeypatch: pytest.MonkeyPatch):
    done: list[int] = []
    looks = itertools.count()
    monkeypatch.setattr(candidate.time, "perf_counter", lambda: float(next(looks)))
    work = repeated(lambda: done.append(1), units=7)
    assert work(0.0) == (1, 7)
    assert work(3.0) == (3, 21)
    assert len(done) == 4


def test_training_runs_the_loop_of_the_task_and_is_not_timed_while_it_evaluates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a clock that goes on by a second at every look: one at the start of a slice, one after every step."""
    looks = itertools.count()
    monkeypatch.setattr(candidate.time, "perf_counter", lambda: float(next(looks)))
    steps: list[int] = []

    def units(snapshot: Snapshot, seeds: int) -> float:
        steps.append(snapshot.step)
        return seeds * snapshot.step

    work = training(identity.TASK.config(seeds=3), units)
    assert [work(0.0) for _ in range(3)] == [(1, 3)] * 3  # at least a step, and then it is told to stop
    assert work(5.0) == (5, 15)
    assert steps == [0, 1, 2, 3, 8]


@pytest.mark.parametrize("first", [False, True])
def test_products_of_a_layer_are_those_of_its_gradient(first: bool) -> None:
    products = Products(2, batch=5, inputs=3, outputs=4, first=first)
    x = products.x.clone().requires_grad_(not first)
    W = products._W.clone().requires_grad_()
    y = W @ x
    y.backward(products._gradient)
    torch.testing.assert_close(products(), y.detach())
    of_weights, of_inputs = products.backward(products.x)
    torch.testing.assert_close(of_weights, W.grad)
    assert of_inputs is None if first else torch.allclose(of_inputs, x.grad)


def test_tasks_with_a_benchmark_are_found_and_others_are_no_failure() -> None:
    assert {"identity", "static_arithmetic", "gridworld_time"} <= set(tasks()) <= set(TASKS)
    assert list(tasks()) == [name for name in TASKS if name in tasks()]


@pytest.mark.parametrize("task", tasks())
def test_candidates_of_every_task(task: str, monkeypatch: pytest.MonkeyPatch):
    for module in (gridworld_time, single_module):  # comparisons have tests of their own
        monkeypatch.setattr(module, "find_spec", lambda _: None)
    found = measure(task, seeds=(1, 2), seconds=0.0, repetitions=1)
    assert {one.name for one in found} >= {OURS, FLOOR}
    assert {one.task for one in found} == {task}
    assert len({(one.setting, one.name, one.models) for one in found}) == len(found)
    assert all(math.isfinite(one.median) for one in found)
    assert {one.models for one in found if one.name == OURS} >= {1, 2} or task == "single_module"
    for one in found:
        if one.name == OURS and task != "gridworld_time":
            assert faster_than(one, BASELINE, found) is not None


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    file = tmp_path / "speed.json"
    asked = ("identity", "number_translation")
    table = tmp_path / "speed.md"
    command.run(command.Options(asked, seeds=(1, 2), seconds=0.0, repetitions=2, json=file, markdown=table))
    assert all(f"| {name} |" in table.read_text() for name in asked)
    printed, written = capfd.readouterr().out, json.loads(file.read_text())
    assert set(written) == {"machine", "options", "measurements"}
    assert {one["task"] for one in written["measurements"]} == set(asked)
    assert all(set(one) == KEYS and len(one["repetitions"]) == 2 for one in written["measurements"])
    assert {"processor", "vectors", "cores", "load_average", "versions", "git_commit", "date"} <= set(
        written["machine"]
    )
    assert all(printed.count(name) == sum(one["task"] == name for one in written["measurements"]) for name in asked)


def test_the_table_says_which_targets_are_met():
    where = {
        "processor": "p",
        "vectors": "v",
        "cores": 2,
        "load_average": 0.0,
        "versions": {},
        "git_commit": None,
        "date": "d",
    }
    table = command.table(where, FOUND)
    assert len(table.rows) == len(FOUND)
    row = dict(zip(table.header, table.rows[1], strict=True))
    assert row["x baseline"] == "40"
    assert row["x floor"] == "2.5"
    assert row["targets"] == "≥ 20x baseline: 40, met\n≥ 0.5x floor: 0.4, missed"
    assert row["noise"] == "50 % !"


@pytest.mark.parametrize(
    "options",
    [{"tasks": ("none",)}, {"tasks": ()}, {"threads": (0,)}, {"threads": (10**6,)}, {"seeds": ()}, {"seeds": (0,)},
     {"repetitions": 0}, {"seconds": -1.0}, {"json": Path("absent/speed.json")},
     {"markdown": Path("absent/speed.md")}],
)  # fmt: skip
def test_options_that_cannot_be_used(options: dict[str, object]):
    with pytest.raises(UserError, match=r"must"):
        command.run(command.Options(**options))


def test_parts_of_a_profile():
    def event(name: str, parent: object = None) -> SimpleNamespace:
        return SimpleNamespace(name=name, cpu_parent=parent)

    optimiser = event("Optimizer.step#Adam.step")
    expected = {
        "products": event("aten::bmm"),
        "log, exp, tanh": event("aten::log_"),
        "other arithmetic": event("aten::mul"),
        "dispatch": event("aten::transpose"),
        "random numbers": event("aten::sub_", event("random numbers")),
        "optimiser": event("aten::add_", event("aten::_foreach_add_", optimiser)),
        "compiled loops": event("## Call CompiledFxGraph f1 ##"),
    }
    assert {part: profile.part_of(one) for part, one in expected.items()} == {part: part for part in expected}


def test_the_profile_names_the_parts_of_training():
    measured = next(one for one in import_module("benchmarks.tasks.identity").candidates((2,)) if one.name == OURS)
    _, parts = profile.divided(measured, 0.02)
    assert {part for part, value in parts.items() if value} >= {"products", "optimiser", "dispatch"}


def test_the_parts_are_scaled_to_the_time_without_the_profiler(monkeypatch: pytest.MonkeyPatch):
    rounds = iter([(9.0, 1), (2.0, 4), (0.003, 1)])  # to warm up, without the profiler, and with it
    events = [
        SimpleNamespace(name=name, cpu_parent=None, self_cpu_time_total=microseconds)
        for name, microseconds in (("aten::bmm", 1000.0), ("aten::mul", 500.0), ("aten::view", 300.0))
    ]
    monkeypatch.setattr(profile, "profile", lambda **_: nullcontext(SimpleNamespace(events=lambda: events)))
    whole, parts = profile.divided(Candidate("a setting", OURS, 1, lambda seconds: next(rounds)), 0.0)
    assert whole == pytest.approx(500_000)
    # A third of the 3000 microseconds under the profiler, a sixth, and the rest: 300 of views and 1200 of Python.
    expected = {"products": whole / 3, "other arithmetic": whole / 6, "dispatch": whole / 2}
    assert parts == pytest.approx({**dict.fromkeys(profile.PARTS, 0.0), **expected})


def test_the_profile_times_evaluation_and_recording(monkeypatch: pytest.MonkeyPatch):
    """On a clock that goes on by a second at every look; the loop, the profile and the recorder look at it."""
    looks = itertools.count()
    monkeypatch.setattr(profile.time, "perf_counter", lambda: float(next(looks)))
    assert profile.tick("identity") == {"evaluation": 1000, "recording": 1000}


@pytest.mark.parametrize(("cell", "op"), [("nac", "add"), ("nalu", "add"), ("nmu", "mul")])
def test_training_in_jax_is_the_same(cell: str, op: str):
    pytest.importorskip("jax")
    from benchmarks.comparisons.jax_single_module import STEPS, Training

    # The penalty of the NMU is at half of its weight in the middle of the run.
    config = Config(
        op=op, cell=cell, seeds=3, steps=8, eval_every=1, eval_size=2, ranges=("U1..2", "U-2..2"), device="cpu"
    )
    data = Data(
        op, config.bounds(), config.seed_range, inputs=2, batch_size=128, eval_size=2, device=torch.device("cpu")
    )
    theirs = Training(config)
    for step, snapshot in zip(range(8), train(config), strict=False):
        if step:
            losses = np.asarray(theirs.on(data.uniform(step - 1).mT.numpy())).reshape(2, 3)
            np.testing.assert_allclose(losses.max(axis=0), snapshot.metrics["train/loss"], rtol=1e-4, atol=1e-6)
    losses = np.asarray(theirs())
    assert losses.shape == (STEPS, 6)
    assert np.isfinite(losses).all()


def test_stable_baselines_trains_on_our_worlds():
    pytest.importorskip("sb3_contrib")
    from benchmarks.comparisons.stable_baselines import ROLLOUT, a2c, adapted, one_by_one, recurrent_ppo

    worlds = adapted("symbolic", 4)
    worlds.reset()
    ended = []
    for _ in range(ROLLOUT):
        seen, rewards, over, infos = worlds.step(np.full(4, 4))  # PASS, so that episodes end by time-out
        assert [("terminal_observation" in info) for info in infos] == over.tolist()
        ended += over.tolist()
    assert any(ended)
    assert seen["image"].shape == (4, 2, 5, 5)
    assert not rewards.any()
    for ours, steps in ((True, ROLLOUT), (False, 5)):
        assert recurrent_ppo(worlds, ours=ours)(0.0)[1] == 4 * ROLLOUT
        assert a2c(one_by_one("symbolic", 4), ours=ours)(0.0)[1] == 4 * steps
