"""Terminals, pipes, encodings and spellings that a command may meet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.harness.cli.cards import read_card
from tasks.harness.cli.main import parse_run
from tasks.harness.cli.parsing import command_name
from tasks.harness.errors import UserError
from tasks.harness.files import read_columns
from tasks.harness.registry import load_task, task_names
from tests.helpers import ROOT, call

TINY = ["--seeds", "2", "--steps", "4", "--eval-every", "2"]
IDENTITY = [sys.executable, "-m", "tasks.identity"]
CONSOLE = "from tasks.harness.cli.console import console; console()"
LATIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"}


def test_an_encoding_that_cannot_show_everything(tmp_path: Path) -> None:
    environment = {**os.environ, **LATIN, "OMP_NUM_THREADS": "1"}
    for command in (
        [*IDENTITY, *TINY, "--out", "run"],
        [sys.executable, "-c", CONSOLE, "report", "run", "--out", "report"],
    ):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, b"")
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "–" in page, "a character that Latin-1 does not have"
    assert '<meta charset="utf-8">' in page


@pytest.mark.parametrize("arguments", [[*TINY], ["--help"]])
def test_a_reader_that_has_seen_enough(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*IDENTITY, *arguments]
    done = subprocess.run(command, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_for_a_closed_output(tmp_path: Path) -> None:
    shell = ["sh", "-c", f"exec {sys.executable} -m tasks.identity --help >&-"]
    done = call(shell, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    task = load_task("identity")
    for words in (["--out=~/x"], ["--out", "~/x"]):
        _, options = parse_run(task, words, task.config(), "test")
        assert options.out == tmp_path / "x"
    with pytest.raises(UserError, match="~nobody-of-this-name/x: "):
        parse_run(task, ["--out=~nobody-of-this-name/x"], task.config(), "test")


@pytest.mark.parametrize("words", [["--steps", "1e4"], ["--steps=1e4"], ["--steps", "1.0E+4"], ["--steps", "10e3"]])
def test_whole_numbers_in_scientific_notation(words: list[str]) -> None:
    task = load_task("static_arithmetic")
    config, _ = parse_run(task, [*words, "--learning-rate", "1e-2", "--seed-chunk", "1e1"], task.config(), "test")
    assert (config.steps, config.learning_rate) == (10_000, 0.01)


@pytest.mark.parametrize("words", [["--steps", "1e-4"], ["--steps", "1.5e0"], ["--steps", "1e999"], ["--steps", "2.5"]])
def test_numbers_that_are_not_whole(words: list[str]) -> None:
    task = load_task("static_arithmetic")
    with pytest.raises(UserError, match="--steps"):
        parse_run(task, words, task.config(), "test")


COMMANDS = ["list", "reproduce", "report", "static-arithmetic", "single-module"]


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ([], ["--help"]),
        (["help"], ["--help"]),
        (["help", "report"], ["report", "--help"]),
        (["static_arithmetic", "--op", "add"], ["static-arithmetic", "--op", "add"]),
        (["--help"], ["--help"]),
    ],
)
def test_how_commands_may_be_called(given: list[str], called: list[str]) -> None:
    assert command_name(given, COMMANDS, "nalu") == called


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("static_aritmetic", "unknown command 'static_aritmetic'; did you mean static-arithmetic?"),
        ("repots", "unknown command 'repots'; did you mean report?"),
        ("xyz", "unknown command 'xyz'; nalu knows list, reproduce, report, static-arithmetic, single-module"),
    ],
)
def test_unknown_commands(given: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        command_name([given], COMMANDS, "nalu")
    assert str(error.value) == message


def test_the_list_needs_no_torch() -> None:
    program = """
import sys
sys.argv = ["nalu", "list"]
from tasks.harness.cli.console import console
try:
    console()
except SystemExit as end:
    assert not end.code
assert "torch" not in sys.modules
"""
    done = call([sys.executable, "-c", program], ROOT)
    assert done.stderr == ""
    assert [line.split()[0] for line in done.stdout.splitlines()] == [name.replace("_", "-") for name in task_names()]


@pytest.mark.parametrize("name", task_names())
def test_the_cards_that_are_listed_are_the_tasks_own(name: str) -> None:
    task = load_task(name)
    assert read_card(name) == {"title": task.title, "source": task.source}


def test_a_table_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xef\xbb\xbfstep,x\n1,2\n")
    assert {name: values.tolist() for name, values in read_columns(tmp_path / "table.csv").items()} == {
        "step": [1.0],
        "x": [2.0],
    }


def test_a_sweep_in_a_script_without_a_guard_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("""
from dataclasses import replace
from pathlib import Path
from tasks.harness.registry import load_task
from tasks.harness.sweep.local_engine import LocalEngine
from tasks.harness.sweep.sweep import Job, sweep
config = replace(load_task("identity").smoke, steps=2)
sweep([Job("identity", config, Path("run"))], LocalEngine(workers=1))
""")
    done = call([sys.executable, "script.py"], tmp_path)
    assert done.returncode == 1
    assert "no worker could start; a script must call sweep() below if __name__ == '__main__':" in done.stderr
    assert "memory" not in done.stderr


@pytest.mark.parametrize("name", ["train", "data"])
def test_a_file_of_a_task_that_is_no_command_names_the_command(name: str, tmp_path: Path) -> None:
    done = call([sys.executable, str(ROOT / "tasks" / "static_arithmetic" / f"{name}.py")], tmp_path)
    message = f"error: {name}.py is a part of a task, not a command; run python -m tasks.static_arithmetic\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_a_file_of_a_task_that_is_a_command_runs(tmp_path: Path) -> None:
    done = call([sys.executable, str(ROOT / "tasks" / "identity" / "__main__.py"), "--help"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--steps" in done.stdout
