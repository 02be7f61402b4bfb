"""Units of other packages, and all units of the catalogue, in every task that takes one."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from nalu import SNMU
from nalu.units.base import ClippedUnit
from nalu.units.catalogue import UNITS, find_unit, installed_units
from tasks.harness.cells import check_cell, is_own, load_own, short_name
from tasks.harness.errors import OptionError, UserError
from tasks.harness.registry import load_task
from tasks.harness.report.report import report
from tasks.harness.training.run import run
from tasks.harness.training.trained_seed import load_trained_chunks
from tests.helpers import call

MODULE = '''
import torch
from torch import nn


class Plain(nn.Module):
    """The least that a unit is."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(out_features, in_features))
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x @ self.weight.mT * self.temperature


class Broken(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()

    def forward(self, x):
        raise RuntimeError("not today")


class Narrow(Broken):
    def forward(self, x):
        return x


number = 3
'''
TASKS: dict[str, dict[str, Any]] = {
    "static_arithmetic": {"cell": "{}"},
    "single_module": {"cell": "{}"},
    "recurrent_arithmetic": {"cell": "{}"},
    "identity": {"cell": "{}"},
    "blog_example": {"cell": "{}"},
    "mnist_counting": {"cell": "{}"},
    "number_translation": {"model": "lstm-{}"},
    "gridworld_time": {"unit": "{}"},
}
"""Task to the option that names the unit."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of a stranger, which is not imported yet."""
    name = f"units_of_{tmp_path.name}"
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(folder)
    find_unit.cache_clear()
    return name


def tiny(task_name: str, unit: str, **options: Any) -> Any:
    """Two steps of a task with a unit."""
    named = {option: form.format(unit) for option, form in TASKS[task_name].items()}
    smoke = load_task(task_name).smoke
    if task_name == "mnist_counting":
        options |= {"batch_size": 2, "eval_size": 100}
    return replace(smoke, seeds=2, steps=2, eval_every=2, device="cpu", **named, **options)


@pytest.mark.parametrize("name", TASKS)
def test_a_plain_module_is_trained_recorded_and_reported(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = f"{package}:Plain"
    task, config = load_task(name), tiny(name, unit)
    if "cell" in TASKS[name] and name != "mnist_counting":
        config = replace(config, learning_rate=1e-3)
    finished = run(task, config, tmp_path / "run")
    assert finished.seeds == 2
    assert f"{unit} has no effective_weights() and snap_(): its sparsity is not measured" in load_own(unit)
    assert ":" not in config.label()

    monkeypatch.delitem(sys.modules, package)
    sys.path.remove(str(tmp_path / "package"))
    find_unit.cache_clear()
    (chapter,) = report([tmp_path / "run"])
    assert [run.options for run in chapter.runs] == [config.to_dict()]
    assert any(short_name(unit) in cell for table in chapter.tables for row in table.rows for cell in row)
    drawn = dict(task.figures(chapter.runs))
    assert drawn.keys() or name == "gridworld_time"
    assert package not in sys.modules, "a record must not make a report import what it names"


SOME = ("nalu", "nac-mul", "gated-nau-nmu", "nmru", "snmu")


@pytest.mark.parametrize(
    ("name", "units"),
    [("identity", UNITS), ("blog_example", UNITS), ("number_translation", SOME), ("gridworld_time", SOME),
     ("mnist_counting", SOME)],
)  # fmt: skip
def test_units_of_the_catalogue_can_stand_in(name: str, units: Iterable[str]) -> None:
    """In the arithmetic tasks too: tests/nalu/units/test_units.py."""
    for unit in units:
        *_, last = load_task(name).train(tiny(name, unit))
        W = getattr(getattr(last.model, "template", None), "hidden", None)
        assert not isinstance(W, ClippedUnit) or W.W_hat.abs().max() <= 1, "after_step_ was not called"
        assert last.step == 2
        assert last.metrics["interpolation/error"].shape == (2,), unit


def test_processes_find_the_unit(package: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tasks.identity", "--cell", f"{package}:Plain"]
    options = ["--processes", "2", "--seeds", "2", "--steps", "2", "--out", "run"]
    done = call([*command, *options], tmp_path / "package")
    assert done.returncode == 0, done.stderr
    assert "2 seeds x 2 steps" in done.stdout
    assert f"{package}:Plain has no effective_weights() and snap_(): its sparsity is not measured\n" in done.stderr


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("{}:Broken", "the unit {}:Broken fails with 2 inputs and 1 output: RuntimeError: not today"),
        ("{}:Narrow", "the unit {}:Narrow must map inputs (3, 2) to outputs (3, 1), got (3, 2)"),
        ("{}:Missing", "cannot import the unit '{}:Missing': AttributeError: module '{}' has no attribute 'Missing'"),
        ("{}:number", "the unit '{}:number' must be a class or a nalu.units.Unit, got 3"),
        ("no_such_module:Unit", "cannot import the unit 'no_such_module:Unit': ModuleNotFoundError"),
    ],
)
def test_a_unit_that_does_not_work_is_refused_before_anything_is_written(
    cell: str, message: str, package: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as raised:
        run(load_task("identity"), tiny("identity", cell.format(package)), tmp_path / "run")
    assert message.format(package, package) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_names_are_checked_without_importing() -> None:
    for name in ("a:B", "a.b.c:D.E"):
        assert is_own(name)
    for name in ("a", "a:", ":B", "a b:C", "a:B()", "../a:B", "nac"):
        assert not is_own(name)
    with pytest.raises(
        OptionError, match=r"--cell must be one of nac, nalu, or MODULE:CLASS, got nala; did you mean nalu\?"
    ):
        check_cell("--cell", "nala", ("nac", "nalu"))
    assert short_name("a.b:C") == "C"
    assert short_name("nac") == "nac"


def test_entry_points_give_units_a_name(package: str, tmp_path: Path) -> None:
    metadata = tmp_path / "package" / "strangers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[nalu.units]\nplain = {package}:Plain\n")
    assert "plain" in installed_units()
    assert is_own("plain")
    assert find_unit("plain").build(2, 1).weight.shape == (1, 2)
    assert any("identity_element" in lack for lack in load_own("plain"))


@pytest.mark.parametrize("name", ["identity", "blog_example", "number_translation", "mnist_counting", "gridworld_time"])
def test_evaluations_draw_no_noise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SNMU draws noise in training only."""
    seen: list[bool] = []
    forward = SNMU.forward

    def watched(self: SNMU, x: Tensor) -> Tensor:
        seen.append(self.training)
        return forward(self, x)

    monkeypatch.setattr(SNMU, "forward", watched)
    snapshots = load_task(name).train(tiny(name, "snmu"))
    next(snapshots)
    assert False in seen
    assert next(snapshots).model.training, "training goes on in training mode"


def test_a_run_of_a_unit_that_is_gone_is_one_line(package: str, tmp_path: Path) -> None:
    task = load_task("identity")
    run(task, tiny("identity", f"{package}:Plain"), tmp_path / "run")
    sys.modules.pop(package)
    sys.path.remove(str(tmp_path / "package"))
    find_unit.cache_clear()
    with pytest.raises(UserError, match="cannot import the unit"):
        load_trained_chunks(task, tmp_path / "run")
