"""What every registered task must do. A new task is tested by being registered."""

import inspect
import io
import itertools
import json
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, Task
from tasks.harness.record import Record
from tasks.harness.registry import load_task, task_names
from tasks.harness.report.report import report
from tasks.harness.tables import comma_separated, markdown
from tasks.harness.training.run import run

VOCABULARY = {
    "train/loss", "train/error", "interpolation/error", "extrapolation/error", "solved", "weights/sparsity", "gate/mean"
}  # fmt: skip


@pytest.fixture(params=task_names())
def task(request: pytest.FixtureRequest) -> Task:
    return load_task(request.param)


def metrics(snapshot: Snapshot) -> dict[str, torch.Tensor]:
    return {name: values.clone() for name, values in snapshot.metrics.items()}


def test_card_and_files(task: Task) -> None:
    folder = Path(__file__).parents[2] / "tasks" / task.name
    for name in ("__init__.py", "__main__.py", "model.py", "train.py", "paper.py", "README.md"):
        assert (folder / name).is_file(), name
    assert task.title
    assert task.source
    assert set(task.sweep) == {"quick", "standard", "full"}


def test_every_option_has_help_and_survives_json(task: Task) -> None:
    source = "".join(inspect.getsource(cls) for cls in task.config.__mro__ if issubclass(cls, Config))
    for field in fields(task.config):
        assert f"    {field.name}:" in source
        following = source.split(f"    {field.name}:", 1)[1].split("\n", 2)[1]
        assert following.strip().startswith('"""'), f"{field.name} has no help"
    for config in (task.config(), task.smoke, *task.sweep["quick"]):
        assert task.config.from_dict(json.loads(json.dumps(config.to_dict()))).to_dict() == config.to_dict()


def test_ticks_and_metrics(task: Task) -> None:
    config = task.smoke
    snapshots = [(s.step, metrics(s)) for s in task.train(config)]
    steps = [step for step, _ in snapshots]
    assert steps[0] == 0
    assert steps[-1] == config.steps
    assert steps == sorted(set(steps))
    assert len(steps) == config.num_evaluations
    for _, values in snapshots:
        assert {name for name in values if "/" not in name or name.split("/")[0] in ("train", "gate")} <= VOCABULARY
        assert "interpolation/error" in values
        assert all(value.shape == (config.seeds,) for value in values.values())


def test_training_changes_the_error(task: Task) -> None:
    first, *_, last = (metrics(s)["interpolation/error"] for s in task.train(task.smoke))
    assert (last < first).all()


def test_a_seed_alone_is_what_it_is_among_others(task: Task) -> None:
    # Over longer runs float32 rounding alone may separate them: training a NALU is chaotic.
    config = replace(task.smoke, steps=5, eval_every=1)
    last = config.first_seed + config.seeds - 1
    together = [metrics(s) for s in task.train(config)]
    alone = [metrics(s) for s in task.train(replace(config, first_seed=last, seeds=1))]
    for many, one in zip(together, alone, strict=True):
        for name in many:
            torch.testing.assert_close(many[name][-1:], one[name], rtol=1e-3, atol=1e-6, msg=name, equal_nan=True)


def test_evaluation_does_not_influence_training(task: Task) -> None:
    config = task.smoke
    *_, often = (metrics(s) for s in task.train(replace(config, eval_every=max(config.eval_every // 4, 1))))
    *_, once = (metrics(s) for s in task.train(replace(config, eval_every=config.steps)))
    for name in often:
        torch.testing.assert_close(often[name], once[name], rtol=0, atol=0, equal_nan=True)


def test_training_goes_on_from_any_snapshot_exactly(task: Task) -> None:
    config = task.smoke
    saved = io.BytesIO()
    expected = []
    for snapshot in task.train(config):
        if snapshot.step == config.eval_every:
            torch.save(snapshot.state, saved)
        elif snapshot.step > config.eval_every:
            expected.append((snapshot.step, metrics(snapshot)))
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    resumed = [(s.step, metrics(s)) for s in task.train(config, state)]
    assert [step for step, _ in resumed] == [step for step, _ in expected]
    for (_, after), (_, before) in zip(resumed, expected, strict=True):
        for name in before:
            assert torch.equal(after[name].nan_to_num(7), before[name].nan_to_num(7)), name


def test_run_summary_and_report(task: Task, tmp_path: Path) -> None:
    ticks: list[int] = []
    finished = run(task, task.smoke, tmp_path / "run", on_snapshot=lambda s: ticks.append(s.step))
    summary, seeds = finished.summary, task.smoke.seeds
    assert len(ticks) == task.smoke.num_evaluations
    assert list(summary) == [
        "task", "config", "seeds", "steps", "wall_seconds", "model_steps_per_second", "metrics", "rates",
    ]  # fmt: skip
    assert summary["config"] == task.smoke.to_dict()
    assert (summary["seeds"], summary["steps"]) == (seeds, task.smoke.steps)
    for value in summary["metrics"].values():
        assert list(value) == ["median", "p10", "p90", "mean", "low", "high"]
        assert all(v is None or math.isfinite(v) for v in value.values())
    for rate in summary["rates"].values():
        assert list(rate) == ["count", "of", "rate", "low", "high"]
        assert rate["of"] == seeds
        assert 0 <= rate["low"] <= rate["rate"] <= rate["high"] <= 1
    assert (finished.description["status"], finished.task) == ("complete", task.name)
    assert len((tmp_path / "run" / "summary.csv").read_text().splitlines()) == 1 + seeds
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))

    report([tmp_path / "run"], tmp_path / "report")
    for table in task.tables([finished]):
        assert all(len(row) == len(table.header) for row in table.rows)
        assert table.rows
        assert markdown(table).count("\n| ") >= len(table.rows)
        assert len(comma_separated(table).splitlines()) == 1 + len(table.rows)
    drawn = {path.stem for path in (tmp_path / "report" / task.name).glob("*.png")}
    assert drawn == {*task.figures([finished]), "learning-curves"}


def test_a_diverged_seed_is_a_failed_seed(task: Task) -> None:
    """Whatever a task scores, NaN never counts as a success and never makes a statistic fail."""
    names = [name for name in next(iter(task.train(task.smoke))).metrics if name != "solved"]
    seeds = np.arange(task.smoke.seeds)
    values = np.full((3, len(seeds)), np.nan)
    record = Record(np.array([0, 1, 2]), seeds, {"solved": np.zeros_like(values), **dict.fromkeys(names, values)})
    result = task.score(task.smoke, record)
    for name, outcome in result.outcomes.items():
        assert outcome.dtype == np.bool_, name
        assert outcome.all() if name == "diverged" else not outcome.any(), name
    for name in ("interpolation/error", "extrapolation/error"):
        assert np.isinf(result.values[name]).all()


def test_registry_is_complete() -> None:
    folders = {path.parent.name for path in (Path(__file__).parents[2] / "tasks").glob("*/paper.py")}
    assert folders == set(task_names())
    directories = [
        (config.label(), str(config.to_dict()))
        for name in task_names()
        for config in itertools.chain(*load_task(name).sweep.values())
    ]
    assert len(directories) == len(set(directories)), "no setting is run twice"
