"""The device of a run and the generator of its training data: chosen, recorded, and kept when it is resumed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.harness import config
from tasks.harness.config import Config
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, METRICS, read_json, write_json
from tasks.harness.registry import load_task
from tasks.harness.report.loading import read_run
from tasks.harness.training.run import run
from tests.helpers import change_json, forget_checksums

TASK = load_task("static_arithmetic")
SMALL = replace(TASK.smoke, seeds=2, steps=4, eval_every=2)


class Measured(Config):
    """A task that was measured to be faster on a GPU with 100 seeds or more."""

    GPU_SEEDS = 100


@pytest.mark.parametrize(
    ("options", "there_is_a_gpu", "device", "generator"),
    [
        (Measured(seeds=100), True, "cuda", "philox"),
        (Measured(seeds=99), True, "cpu", "sfc64"),
        (Measured(seeds=100), False, "cpu", "sfc64"),
        (Measured(seeds=1, device="cuda"), True, "cuda", "philox"),
        (Measured(seeds=100, device="cpu"), True, "cpu", "sfc64"),
        (Measured(seeds=100, generator="sfc64"), True, "cuda", "sfc64"),
        (Config(seeds=10**6), True, "cpu", "sfc64"),
    ],
)
def test_auto_takes_the_device_that_was_measured_to_be_faster(
    options: Config, there_is_a_gpu: bool, device: str, generator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "has_gpu", lambda: there_is_a_gpu)
    assert (options.torch_device().type, options.data_generator) == (device, generator)
    assert options.to_dict()["generator"] == generator


def test_a_gpu_that_is_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "has_gpu", lambda: False)
    with pytest.raises(UserError, match=r"--device cuda needs a GPU .*; use --device cpu"):
        Config(device="cuda").torch_device()


def test_auto_says_which_device_it_took_only_where_there_is_a_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(config, "has_gpu", lambda: False)
    run(TASK, SMALL, tmp_path / "none")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(config, "has_gpu", lambda: True)
    run(TASK, replace(SMALL, device="cpu"), tmp_path / "cpu")
    assert capsys.readouterr().err == ""
    run(TASK, SMALL, tmp_path / "auto")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("training on the CPU: ")
    assert line.endswith("(--device cuda to use the GPU)")


def recorded(directory: Path, **changes: Any) -> dict[str, Any]:
    """A run and its recorded options."""
    run(TASK, replace(SMALL, **changes), directory)
    return read_json(directory / CONFIG)["config"]


def test_a_record_names_the_device_and_the_generator(tmp_path: Path) -> None:
    options = recorded(tmp_path / "auto", device="cpu")
    assert (options["device"], options["generator"]) == ("cpu", "sfc64")
    other = recorded(tmp_path / "philox", device="cpu", generator="philox")
    assert other == {**options, "generator": "philox"}
    assert (tmp_path / "auto" / METRICS).read_text() != (tmp_path / "philox" / METRICS).read_text()


def unfinished(directory: Path, **options: Any) -> None:
    """A run without results, whose record names these options."""
    recorded(directory, device="cpu", generator="philox")
    (directory / "summary.json").unlink()
    change_json(directory / CONFIG, config=read_json(directory / CONFIG)["config"] | options)
    forget_checksums(directory)


def test_a_run_of_a_gpu_is_resumed_on_the_cpu_with_its_numbers(tmp_path: Path) -> None:
    unfinished(tmp_path / "run", device="cuda")
    expected = (tmp_path / "run" / METRICS).read_bytes()
    stored = TASK.config.from_dict(read_json(tmp_path / "run" / CONFIG)["config"])
    assert (stored.device, stored.generator) == ("cuda", "philox")
    run(TASK, replace(stored, device="cpu"), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / METRICS).read_bytes() == expected


def test_a_run_is_not_resumed_with_other_numbers(tmp_path: Path) -> None:
    unfinished(tmp_path / "run")
    with pytest.raises(
        UserError, match="was started with --generator philox and cannot continue with --generator sfc64"
    ):
        run(TASK, replace(SMALL, device="cpu"), tmp_path / "run", resume=True)


def test_records_older_than_the_option_are_of_sfc64(tmp_path: Path) -> None:
    recorded(tmp_path / "run", device="cpu")
    for name in (CONFIG, "summary.json"):
        content = read_json(tmp_path / "run" / name)
        del content["config"]["generator"]
        write_json(tmp_path / "run" / name, content)
    forget_checksums(tmp_path / "run")
    assert TASK.config.from_dict(read_json(tmp_path / "run" / CONFIG)["config"]).generator == "sfc64"
    finished = run(TASK, replace(SMALL, device="cpu"), tmp_path / "run", resume=True)
    assert finished.steps == 4
    assert read_run(tmp_path / "run").seeds == 2
