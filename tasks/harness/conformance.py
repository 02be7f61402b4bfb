"""The conformance tests: what the harness relies on in every task. ``nalu check <task>`` runs them.

They train the task's ``smoke`` configuration. In a test file of your own, ``from tasks.harness.conformance import *``
runs them with your fixture ``task``.
"""

from __future__ import annotations

import inspect
import io
import json
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, Task
from tasks.harness.metrics import (
    EXTRAPOLATION_ERROR,
    INTERPOLATION_ERROR,
    SOLVED,
    TRAINING_GROUPS,
    group,
    in_vocabulary,
)
from tasks.harness.record import Record
from tasks.harness.report.report import report
from tasks.harness.tables import comma_separated, markdown
from tasks.harness.training.run import run

__all__: list[str] = []


def copied_metrics(snapshot: Snapshot) -> dict[str, torch.Tensor]:
    """The metrics of a snapshot, still valid when training goes on."""
    return {name: values.clone() for name, values in snapshot.metrics.items()}


def test_card(task: Task) -> None:
    """The task has a title, a source and settings for the three profiles."""
    assert task.title
    assert task.source
    assert set(task.sweep) == {"quick", "standard", "full"}


def test_every_option_has_help_and_survives_json(task: Task) -> None:
    """Each option has a docstring, which is its help, and can be stored in config.json and read again."""
    source = "".join(inspect.getsource(cls) for cls in task.config.__mro__ if issubclass(cls, Config))
    for field in fields(task.config):
        assert f"    {field.name}:" in source
        following = source.split(f"    {field.name}:", 1)[1].split("\n", 2)[1]
        assert following.strip().startswith('"""'), f"{field.name} has no help"
    for config in (task.config(), task.smoke, *task.sweep["quick"]):
        assert task.config.from_dict(json.loads(json.dumps(config.to_dict()))).to_dict() == config.to_dict()


def test_evaluated_steps_and_names_of_metrics(task: Task) -> None:
    """Training yields before the first step and wherever ``evaluates_at`` says, with one value per seed and metric."""
    config = task.smoke
    snapshots = [(s.step, copied_metrics(s)) for s in task.train(config)]
    steps = [step for step, _ in snapshots]
    assert steps[0] == 0
    assert steps[-1] == config.steps
    assert steps == sorted(set(steps))
    assert len(steps) == config.num_evaluations
    for _, values in snapshots:
        shared = [name for name in values if "/" not in name or group(name) in TRAINING_GROUPS]
        assert [name for name in shared if not in_vocabulary(name)] == [], (
            "names of a task's own in groups of all tasks"
        )
        assert INTERPOLATION_ERROR in values
        assert all(value.shape == (config.seeds,) for value in values.values())


def test_training_changes_the_error(task: Task) -> None:
    """The validation error of every seed falls."""
    first, *_, last = (copied_metrics(s)[INTERPOLATION_ERROR] for s in task.train(task.smoke))
    assert (last < first).all()


def test_a_seed_trains_alone_as_among_others(task: Task) -> None:
    """A seed sees the same data, and starts from the same weights, in whatever company."""
    # Few steps: training a NALU is chaotic, and over many steps rounding alone separates two runs.
    config = replace(task.smoke, steps=5, eval_every=1)
    last = config.first_seed + config.seeds - 1
    together = [copied_metrics(s) for s in task.train(config)]
    alone = [copied_metrics(s) for s in task.train(replace(config, first_seed=last, seeds=1))]
    for many, one in zip(together, alone, strict=True):
        for name in many:
            torch.testing.assert_close(many[name][-1:], one[name], rtol=1e-3, atol=1e-6, msg=name, equal_nan=True)


def test_evaluation_does_not_influence_training(task: Task) -> None:
    """The result is bit-identical however often the run is evaluated."""
    config = task.smoke
    *_, often = (copied_metrics(s) for s in task.train(replace(config, eval_every=max(config.eval_every // 4, 1))))
    *_, once = (copied_metrics(s) for s in task.train(replace(config, eval_every=config.steps)))
    for name in often:
        torch.testing.assert_close(often[name], once[name], rtol=0, atol=0, equal_nan=True)


def test_training_resumes_exactly_from_a_snapshot(task: Task) -> None:
    """A run that continues from a stored state ends with bit-identical metrics."""
    config = task.smoke
    saved = io.BytesIO()
    expected = []
    for snapshot in task.train(config):
        if snapshot.step == config.eval_every:
            torch.save(snapshot.state, saved)
        elif snapshot.step > config.eval_every:
            expected.append((snapshot.step, copied_metrics(snapshot)))
    saved.seek(0)
    state = torch.load(saved, weights_only=True)  # noqa: TID251 (weights only, saved above)
    resumed = [(s.step, copied_metrics(s)) for s in task.train(config, state)]
    assert [step for step, _ in resumed] == [step for step, _ in expected]
    for (_, after), (_, before) in zip(resumed, expected, strict=True):
        for name in before:
            assert torch.equal(after[name].nan_to_num(7), before[name].nan_to_num(7)), name


def test_run_summary_and_report(task: Task, tmp_path: Path) -> None:
    """A whole run writes its files, and a report on it has tables and figures."""
    ticks: list[int] = []
    finished = run(task, task.smoke, tmp_path / "run", on_snapshot=lambda s: ticks.append(s.step))
    summary, seeds = finished.summary, task.smoke.seeds
    assert len(ticks) == task.smoke.num_evaluations
    assert list(summary) == [
        "task", "config", "seeds", "steps", "wall_seconds", "model_steps_per_second", "metrics", "rates", "sha256",
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
    """Whatever a task scores, NaN counts as no success and breaks no statistic."""
    names = [name for name in next(iter(task.train(task.smoke))).metrics if name != SOLVED]
    seeds = np.arange(task.smoke.seeds)
    values = np.full((3, len(seeds)), np.nan)
    record = Record(np.array([0, 1, 2]), seeds, {SOLVED: np.zeros_like(values), **dict.fromkeys(names, values)})
    result = task.score(task.smoke, record)
    for name, outcome in result.outcomes.items():
        assert outcome.dtype == np.bool_, name
        assert outcome.all() if name == "diverged" else not outcome.any(), name
    for name in (INTERPOLATION_ERROR, EXTRAPOLATION_ERROR):
        assert np.isinf(result.values[name]).all()


__all__ += [name for name in globals() if name.startswith("test_")]
