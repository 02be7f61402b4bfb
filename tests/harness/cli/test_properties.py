"""Any options, typed or stored, are used or refused in one line; there is never a traceback."""

import contextlib
import io
import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.harness.cli import commands, main
from tasks.harness.cli.main import console
from tasks.harness.config import flag
from tasks.harness.contract import Task
from tasks.harness.errors import OptionError
from tasks.harness.finished_run import FinishedRun
from tasks.harness.registry import load_task, task_names
from tasks.harness.terminal.sanitize import sanitize
from tasks.harness.training.run import run
from tasks.mnist_counting import digits

BOUNDED = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
INTEGERS = (0, 1, -1, 2, 3, 100, 2**31 - 1, 2**31, -(2**31), 2**32, 2**63, 10**30, 10**400)
FLOATS = (0.0, -0.0, 0.5, 1.0, -1.0, 1e-320, 1e39, 1e308, math.inf, -math.inf, math.nan)
WORDS = ("", " ", "-", "--", "-1", "nan", "None", "True", "[1, 2]", "0x10", "1_000", "1e400", "a b", "é", "数字", "٣",
         "a\nb", "\x1b[31m", "\udcff", "../x", "$x$", "[/x]", "{}", "%s", "<b>", "9" * 5000)  # fmt: skip
PRINTABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), max_size=8)
TEXTS = st.one_of(st.sampled_from(WORDS), PRINTABLE)
SUMMARY = {"task": "x", "seeds": 1, "steps": 1, "wall_seconds": 1.0, "model_steps_per_second": 1.0} | {
    "metrics": {"x": dict.fromkeys(("median", "p10", "p90", "mean", "low", "high"), 1.0)},
    "rates": {"solved": {"count": 1, "of": 1, "rate": 1.0, "low": 0.2, "high": 1.0}},
}


def of_kind(kind: Any) -> st.SearchStrategy[Any]:
    """JSON values of an annotated type; mostly those at its limits."""
    alternatives = get_args(kind)
    if get_origin(kind) is Literal:
        return st.sampled_from(alternatives)
    if get_origin(kind) is tuple:
        return st.lists(of_kind(alternatives[0]), max_size=5)
    if alternatives:
        return st.one_of(*map(of_kind, alternatives))
    known = {
        int: st.one_of(st.sampled_from(INTEGERS), st.integers(-3, 50)),
        float: st.one_of(st.sampled_from((*FLOATS, *INTEGERS)), st.floats()),
        bool: st.booleans(),
        str: TEXTS,
        NoneType: st.none(),
    }
    return known[kind]


ANY = st.one_of(*map(of_kind, (int, float, bool, str, NoneType, tuple[int, ...])), st.just({}), st.just([[]]))


def options(task: Task) -> st.SearchStrategy[dict[str, Any]]:
    """A few options of a task; most have values of their own type, some of any type."""
    one = st.one_of(
        *(
            st.tuples(st.just(name), st.one_of(of_kind(kind), of_kind(kind), of_kind(kind), ANY))
            for name, kind in get_type_hints(task.config).items()
            if name in {field.name for field in fields(task.config)}
        )
    )
    return st.lists(one, max_size=4).map(dict)


def words(values: dict[str, Any]) -> list[str]:
    """Options as a user types them."""
    typed = []
    for name, value in values.items():
        if isinstance(value, bool):
            typed.append(flag(name) if value else flag(f"no_{name}"))
        else:
            typed += [flag(name), *(str(item) for item in (value if isinstance(value, list) else [value]))]
    return typed


@pytest.fixture(scope="module", autouse=True)
def no_training() -> Iterator[None]:
    """Let a run end at once and fetch no digits; restore the handler of SIGTERM, which the console replaces."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "run", lambda task, config, directory, **kinds: FinishedRun(directory, {}, SUMMARY, {}))
        patch.setattr(digits, "fetch", lambda root: "no network")
        yield
    signal.signal(signal.SIGTERM, before)


def call(arguments: list[str]) -> tuple[int, str, str]:
    """Call ``nalu`` in this process; return its exit status, output and errors."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n")  # refuses lone surrogates, as a real one does
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", newline="\n")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["nalu", *arguments])
        with pytest.raises(SystemExit) as exit:
            console()
    printed = []
    for stream in (out, err):
        stream.seek(0)
        printed.append(stream.read())
    return exit.value.code, *printed


def assert_refused_in_one_line_if_at_all(status: int, output: str, errors: str) -> None:
    assert status in (0, 2)
    assert "Traceback" not in output + errors
    if status == 2:
        assert errors.startswith("error: ")
        assert errors.endswith("\n")
        assert errors[:-1].isprintable(), errors
        assert len(errors) < 2000


@pytest.mark.parametrize("name", task_names())
def test_typed_options_are_used_or_refused_in_one_line(name: str) -> None:
    task = load_task(name)

    @settings(BOUNDED, max_examples=25)
    @given(options(task), st.lists(TEXTS, max_size=1))
    def check(values: dict[str, Any], stray: list[str]) -> None:
        assert_refused_in_one_line_if_at_all(*call([task.command, *words(values), *stray]))

    check()


@pytest.mark.parametrize("name", task_names())
def test_stored_options_are_used_or_refused(name: str) -> None:
    task = load_task(name)

    @settings(BOUNDED, max_examples=150)
    @given(options(task))
    def check(values: dict[str, Any]) -> None:
        try:
            config = task.config.from_dict(values)
        except OptionError:
            return
        stored = json.dumps(config.to_dict(), allow_nan=False)
        assert task.config.from_dict(json.loads(stored)).to_dict() == config.to_dict()
        assert config.label().isprintable()
        assert "/" not in config.label()
        assert len(config.seed_range) == config.seeds

    check()


@pytest.mark.parametrize("name", task_names())
def test_options_refuse_integers_beyond_64_bits(name: str) -> None:
    task = load_task(name)
    for option, kind in get_type_hints(task.config).items():
        if option in {field.name for field in fields(task.config)} and int in (kind, *get_args(kind)):
            for value in (2**63, -(2**63)):
                with pytest.raises(OptionError):
                    task.config.from_dict({option: [value] if get_origin(kind) is tuple else value})


COMMANDS = {
    "report": ("--out", "nowhere"),
    "reproduce": ("--profile", "quick", "--tasks", "identity", "--out", "--workers", "2"),
    "list": (),
    "nothing": (),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_other_commands_are_used_or_refused_in_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "sweep", lambda *arguments, **kinds: None)
    monkeypatch.setattr(commands, "estimate", lambda *arguments, **kinds: 0.0)
    if command == "reproduce":
        monkeypatch.setattr(commands, "report", lambda *arguments, **kinds: [])

    @settings(BOUNDED, max_examples=25)
    @given(st.lists(st.one_of(st.sampled_from((*COMMANDS[command], "")), TEXTS), max_size=3))
    def check(arguments: list[str]) -> None:
        assert_refused_in_one_line_if_at_all(*call([command, *arguments]))

    check()


NAMES = ("é 数字 [/x] $x$ <b> '\"", "two\nlines", "n" * 200)


def test_directories_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "run", run)
    tiny = ["--seeds", "1", "--steps", "1", "--examples", "10", "--device", "cpu"]
    for name in NAMES:
        status, output, errors = call(["blog-example", *tiny, f"--out={name}/run"])
        assert (status, errors) == (0, ""), name
        assert output.splitlines()[-1] == f"record: {sanitize(name)}/run"
        refused = call(["blog-example", *tiny, f"--out={name}/run"])
        assert refused[0] == 2
        assert_refused_in_one_line_if_at_all(*refused)
    status, output, errors = call(["report", *(f"./{name}" for name in NAMES), "--out", "./é [/x] $x$"])
    assert (status, errors) == (0, "")
    assert "skipped" not in output
    assert (tmp_path / "é [/x] $x$" / "index.html").exists()
    for name in ("n" * 300, "a/" * 3000, os.fsdecode(b"no \xff utf-8")):
        refused = call(["blog-example", *tiny, "--out", name])
        assert refused[0] == 2
        assert_refused_in_one_line_if_at_all(*refused)


def test_sizes_too_large_for_any_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "run", run)
    status, output, errors = call(["recurrent-arithmetic", "--seeds", "1", "--hidden-size", str(2**31 - 2)])
    assert (status, output) == (2, "")
    assert errors.startswith("error: not enough memory for these sizes")
