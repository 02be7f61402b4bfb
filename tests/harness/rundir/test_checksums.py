"""Files that were changed after they were written, and still read well, are noticed and named in one line."""

import contextlib
import itertools
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, METRICS, SEED_SUMMARY, SUMMARY, read_json, write_json
from tasks.harness.finished_run import FinishedRun
from tasks.harness.registry import load_task
from tasks.harness.report.loading import read_runs
from tasks.harness.rundir import checkpoint
from tasks.harness.training.run import run
from tests.helpers import files

TASK = load_task("static_arithmetic")
SETTING = replace(TASK.smoke, device="cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "run"
    run(TASK, SETTING, directory)
    return directory


@pytest.fixture
def complete(trained: Path, tmp_path: Path) -> Path:
    """A complete run that a test may change."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def unfinished(complete: Path) -> Path:
    """The same run as if it had been killed before its results were written."""
    (complete / SUMMARY).unlink()
    (complete / SEED_SUMMARY).unlink()
    write_json(complete / CONFIG, {**read_json(complete / CONFIG), "status": "running"})
    return complete


def change_a_digit(path: Path) -> None:
    """Replace the last digit of the first number with digits after the point."""
    text = path.read_text()
    match = re.search(r"\d\.\d+", text)
    last = match.end() - 1
    path.write_text(text[:last] + str((int(text[last]) + 1) % 10) + text[last + 1 :])


def flip_a_bit(path: Path) -> None:
    """In the middle, where the tensors are."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", [METRICS, SEED_SUMMARY, SUMMARY, CONFIG])
def test_a_report_leaves_out_a_changed_run_and_names_the_file(name: str, complete: Path) -> None:
    change_a_digit(complete / name)
    runs, problems = read_runs([complete.parent])
    assert not runs
    message = f"{complete / name} was changed after it was written: its checksum does not match"
    assert problems == [f"skipped {complete}: {message}"]


def test_an_unfinished_record_that_was_changed_is_neither_resumed_nor_reported(unfinished: Path) -> None:
    change_a_digit(unfinished / METRICS)
    before = files(unfinished)
    with pytest.raises(UserError, match=r"metrics\.csv was changed after it was written"):
        run(TASK, SETTING, unfinished, resume=True)
    assert not read_runs([unfinished])[0]
    assert files(unfinished) == before


@pytest.mark.parametrize("name", [SUMMARY, SEED_SUMMARY])
def test_changed_results_are_said_so_and_made_again(
    name: str, complete: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (complete / SEED_SUMMARY).read_bytes()
    change_a_digit(complete / name)
    again = run(TASK, SETTING, complete, resume=True)
    message = f"{complete / name} was changed after it was written: its checksum does not match; "
    assert capsys.readouterr().err == f"{message}making the results again\n"
    assert (complete / SEED_SUMMARY).read_bytes() == before
    assert again.rates == FinishedRun.load(complete).rates


def test_a_checkpoint_that_still_reads_is_noticed(unfinished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (unfinished / checkpoint.SPARE).unlink(missing_ok=True)
    flip_a_bit(unfinished / checkpoint.NAME)
    assert checkpoint.newest(unfinished) is None
    assert capsys.readouterr().err == f"{unfinished}: checkpoint.pt is damaged; there is no other\n"


def test_a_damaged_checkpoint_of_a_complete_run_is_said_so(complete: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = FinishedRun.load(complete)
    flip_a_bit(complete / checkpoint.NAME)
    assert run(TASK, SETTING, complete, resume=True).summary == before.summary
    message = "checkpoint.pt is damaged; the results are complete and do not need it"
    assert capsys.readouterr().err == f"{complete}: {message}\n"


def test_options_that_the_checkpoint_was_not_made_with(unfinished: Path) -> None:
    """As somebody who also mends the checksum."""
    stored = read_json(unfinished / CONFIG)
    write_json(unfinished / CONFIG, {**stored, "config": {**stored["config"], "hidden_size": 3}})
    with pytest.raises(UserError, match=r"config\.json has --hidden-size 3, and the checkpoint was made with .* 2"):
        run(TASK, replace(SETTING, hidden_size=3), unfinished, resume=True)


@pytest.mark.parametrize("key", ["model_steps_per_second", "rates", "seeds"])
def test_a_summary_that_lacks_something_is_made_again(key: str, complete: Path) -> None:
    before = read_json(complete / SUMMARY)
    write_json(complete / SUMMARY, {name: value for name, value in before.items() if name != key})
    again = run(TASK, SETTING, complete, resume=True)
    assert again.rates == before["rates"]


def kill_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End at the n-th deletion of a file."""
    deletions, unlink = itertools.count(1), Path.unlink

    def delete(path: Path, missing_ok: bool = False) -> None:
        if next(deletions) == number:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", delete)


TRANSLATION = load_task("number_translation")
"""A task whose runs leave further files."""
BRIEF = replace(TRANSLATION.smoke, steps=2, eval_every=2)


@pytest.fixture(scope="module")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run."""
    directory = tmp_path_factory.mktemp("translated")
    run(TRANSLATION, BRIEF, directory)
    return directory


@pytest.mark.parametrize("number", range(1, 12))
def test_overwriting_can_be_killed_at_any_file_and_begun_again(
    number: int, translated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = shutil.copytree(translated, tmp_path / "run")
    with monkeypatch.context() as patch:
        kill_at(number, patch)
        with contextlib.suppress(KeyboardInterrupt):
            run(TRANSLATION, BRIEF, directory, overwrite=True)
    again = run(TRANSLATION, BRIEF, directory, overwrite=True)
    assert again.metrics == FinishedRun.load(translated).metrics
    assert (directory / "predictions.csv").exists()


def test_files_that_the_card_does_not_name_are_not_written(tmp_path: Path) -> None:
    writer: Callable[[Path], None] = lambda path: path.touch()  # noqa: E731  # as tasks give it

    def train(config: object, state: object = None) -> object:
        for snapshot in TASK.train(config, state):
            yield replace(snapshot, files={"unknown.csv": writer})

    with pytest.raises(ValueError, match=r"the task's card does not name the file unknown\.csv"):
        run(replace(TASK, train=train), SETTING, tmp_path)
