"""Hostile records: a report on them neither crashes nor hangs, and its page runs no code of theirs."""

import json
import os
import re
import shutil
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.harness.registry import load_task
from tasks.harness.report.loading import read_runs
from tasks.harness.report.report import report
from tasks.harness.terminal.sanitize import sanitize
from tasks.harness.training.run import run
from tests.helpers import ROOT, Page, call, change_json, forget_checksums

TASK = load_task("blog_example")
SCRIPT = "<script>alert(1)</script>"
HUGE = 200 * 2**20

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete, undamaged run."""
    directory = tmp_path_factory.mktemp("trained") / "good"
    run(TASK, replace(TASK.smoke, steps=20), directory)
    forget_checksums(directory)
    return directory


def option(name: str, value: object) -> Damage:
    def damage(directory: Path) -> None:
        path = directory / "config.json"
        change_json(path, config={**json.loads(path.read_text())["config"], name: value})

    return damage


def config(**values: object) -> Damage:
    return lambda directory: change_json(directory / "config.json", **values)


def text(name: str, content: str | bytes) -> Damage:
    data = content.encode() if isinstance(content, str) else content
    return lambda directory: (directory / name).write_bytes(data)


def rewritten(name: str, new: Callable[[str], str | bytes]) -> Damage:
    return lambda directory: text(name, new((directory / name).read_text()))(directory)


def evidence(**summary: object) -> Damage:
    """Remove the record, so that a report uses the summary as it is."""

    def damage(directory: Path) -> None:
        (directory / "metrics.csv").unlink()
        change_json(directory / "summary.json", **summary)

    return damage


def cut_evidence(directory: Path) -> None:
    """Remove the record and the results of the last seed."""
    evidence()(directory)
    rewritten("summary.csv", lambda table: "".join(table.splitlines(keepends=True)[:-1]))(directory)


def sparse(name: str) -> Damage:
    def damage(directory: Path) -> None:
        with (directory / name).open("wb") as file:
            file.truncate(HUGE)

    return damage


def linked(name: str, target: str) -> Damage:
    def damage(directory: Path) -> None:
        (directory / name).unlink()
        (directory / name).symlink_to(target)

    return damage


def piped(name: str) -> Damage:
    def damage(directory: Path) -> None:
        (directory / name).unlink()
        os.mkfifo(directory / name)

    return damage


def cells(step: object = None, seed: object = None, value: object = None, row: int = -1) -> Damage:
    """Replace cells in one row of the record."""

    def change(record: str) -> str:
        lines = record.splitlines()
        old = lines[row].split(",")
        new = [old[0] if step is None else step, old[1] if seed is None else seed]
        lines[row] = ",".join(map(str, [*new, *([value] * len(old[2:]) if value is not None else old[2:])]))
        return "\n".join([*lines, ""])

    return rewritten("metrics.csv", change)


RESULT = dict.fromkeys(("median", "p10", "p90", "mean", "low", "high"), 1.0)
RATE = {"count": 1, "of": 1, "rate": 1.0, "low": 0.0, "high": 1.0}

BAD: dict[str, tuple[Damage, str]] = {
    "huge config": (sparse("config.json"), "its config.json has 209715200 bytes"),
    "huge summary": (sparse("summary.json"), "its summary.json has 209715200 bytes"),
    "huge record": (sparse("metrics.csv"), "its tables (*.csv) have"),
    "huge table": (sparse("predictions.csv"), "its tables (*.csv) have"),
    "one long line": (text("metrics.csv", "step,seed\n" + "0," * 2**20), "its metrics.csv has 2 columns and lines"),
    "a million columns": (text("metrics.csv", "step,seed" + ",x" * 10**6), "its metrics.csv has 1000002 columns"),
    "3000 columns": (rewritten("metrics.csv", lambda record: record.replace("\n", ",0" * 3000 + "\n")), "columns"),
    "20 000 seeds": (
        rewritten("metrics.csv", lambda record: record.split("\n")[0] + "\n" + "".join(
            f"{step},{seed},0,0,0,0,0,0,0,0\n" for step in (0, 1) for seed in range(20_000)
        )),
        "its record has 20000 seeds, more than",
    ),
    "deep json": (text("config.json", "[" * 10**5 + "]" * 10**5), "no readable config.json"),
    "deep summary": (text("summary.json", '{"x":' * 10**5), "no readable summary.json"),
    "deep options": (config(config=json.loads("[" * 200 + "]" * 200)), "options must be an object"),
    "list for an object": (text("config.json", "[1]"), "must hold a JSON object"),
    "malformed json": (text("config.json", '{"task": '), "no readable config.json"),
    "empty json": (text("config.json", ""), "no readable config.json"),
    "a number of 5000 digits": (text("config.json", '{"task": ' + "9" * 5000 + "}"), "no readable config.json"),
    "utf-16": (rewritten("config.json", lambda old: old.encode("utf-16")), "no readable config.json"),
    "garbage": (text("config.json", bytes(range(256)) * 9), "no readable config.json"),
    "unknown task": (config(task=SCRIPT), "unknown task"),
    "task of another type": (config(task={"a": [1]}), "unknown task"),
    "no options": (config(config=None), "options must be an object"),
    "future option": (option("flux", 1), "unknown option flux"),
    "hostile option": (option(SCRIPT, SCRIPT), "unknown option <script>"),
    "nan option": (option("learning_rate", float("nan")), "--learning-rate must be above 0"),
    "large option": (option("learning_rate", 10**400), "--learning-rate must lie in"),
    "nan extra": (config(wall_seconds=float("nan")), "a number that is not finite"),
    "infinite result": (evidence(metrics={"x": {**RESULT, "mean": float("inf")}}), "a number that is not finite"),
    "lists for results": (evidence(metrics=[1]), "its summary.json is not of the form"),
    "results of another task": (evidence(metrics={"x": RESULT}, rates={"y": RATE}), "it lacks a result"),
    "bools for results": (evidence(rates={"solved": {**RATE, "high": True}}), "its summary.json is not of the form"),
    "words for seeds": (evidence(seeds="3"), "its summary.json is not of the form"),
    "a rate of 400 digits": (evidence(rates={"solved": {**RATE, "count": 10**400}}), "not of the form"),
    "a rate of 2": (evidence(rates={"solved": {**RATE, "rate": 2.0}}), "does not contain its estimate"),
    "a median outside": (evidence(metrics={"x": {**RESULT, "low": 9.0}}), "does not contain its estimate"),
    "ragged record": (rewritten("metrics.csv", lambda record: record + "1,2\n"), "must have"),
    "words in the record": (cells(value="apple"), "no readable record"),
    "record in utf-16": (rewritten("metrics.csv", lambda record: record.encode("utf-16")), "no readable record"),
    "record of garbage": (text("metrics.csv", bytes(range(256)) * 99), "no readable record"),
    "empty record": (text("metrics.csv", ""), "no readable record"),
    "record of nothing": (text("metrics.csv", "step,seed\n"), "it has no evaluated step yet"),
    "steps back": (rewritten("metrics.csv", lambda record: record.replace("\n20,", "\n-1,")), "do not ascend"),
    "step nan": (rewritten("metrics.csv", lambda record: record.replace("\n20,", "\nnan,")), "no readable record"),
    "step infinite": (rewritten("metrics.csv", lambda record: record.replace("\n20,", "\n-inf,")), "do not ascend"),
    "seed infinite": (
        rewritten("metrics.csv", lambda record: re.sub("^([0-9]+),1,", r"\1,inf,", record, flags=re.MULTILINE)),
        "invalid seed",
    ),
    "no summary of seeds": (lambda directory: (directory / "summary.csv").unlink(), "no readable summary.csv"),
    "ragged summary": (text("summary.csv", "seed,x\n1\n1,2,3\n"), "no readable summary.csv"),
    "summary cut in a line": (rewritten("summary.csv", lambda table: table[:-3]), "its last line is incomplete"),
    "summary cut after a line": (cut_evidence, "its summary.csv must have one row for each of 3 seeds"),
    "link out of the tree": (linked("metrics.csv", "/etc/passwd"), "its metrics.csv is a link out of"),
    "table out of the tree": (lambda d: (d / "x.csv").symlink_to("/etc/passwd"), "its x.csv is a link out of"),
    "link to a device": (linked("metrics.csv", "/dev/zero"), "its metrics.csv is not a regular file"),
    "link in a circle": (linked("config.json", "config.json"), "its config.json cannot be read"),
    "broken link": (linked("summary.json", "nothing"), "its summary.json cannot be read"),
    "pipe": (piped("metrics.csv"), "its metrics.csv is not a regular file"),
    "piped summary": (piped("summary.json"), "its summary.json is not a regular file"),
    SCRIPT.replace("/", "∕"): (config(task=None), "unknown task None"),
    '" onmouseover="alert(1)': (config(task=None), "unknown task None"),
    "javascript:alert(1)": (config(task=None), "unknown task None"),
    "two\nlines \x1b[31mred": (config(task=None), "unknown task None"),
    "[/red]": (config(task=None), "unknown task None"),
    os.fsdecode(b"no \xff utf-8"): (config(task=None), "unknown task None"),
}  # fmt: skip
"""By the name of a run directory: what damages the run, and the words of the report about it."""


def assert_harmless(page: Page) -> None:
    """Check that the page has the one script of its template, no event handlers, and loads nothing from elsewhere."""
    names = [tag for tag, _ in page.tags]
    assert names.count("script") == 1
    assert not {"iframe", "object", "embed", "form", "base", "b", "svg"} & set(names)
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "action", "srcset", "formaction", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))


def test_bad_runs_are_listed_and_good_ones_reported(good: Path, tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    shutil.copytree(good, tree / "good")
    for name, (damage, _) in BAD.items():
        damage(shutil.copytree(good, tree / name))
    (tree / "loop").symlink_to(".")
    (tree / "good" / "loop").symlink_to("..")
    (tree / "linked").symlink_to(good)
    shutil.copytree(good, tree.joinpath(*["deep"] * 200))
    command = [str(Path(sys.executable).with_name("nalu")), "report", str(tree), "--out", str(out)]
    done = call(command, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = [line for line in done.stdout.splitlines() if line.startswith("skipped ")]
    for name, (_, message) in BAD.items():
        lines = [line for line in told if line.startswith(sanitize(f"skipped {tree / name}: "))]
        assert len(lines) == 1, name
        assert message in lines[0], name
    assert [line for line in told if "nested too deeply" in line and "deep/deep" in line]
    assert f"skipped {tree / 'linked'}: it is a link; name it as an argument to include it" in told
    assert len(told) == len(BAD) + 2
    page = Page((out / "index.html").read_text())
    assert_harmless(page)
    assert "python -m tasks.blog_example --seeds 3 --steps 20" in page.text
    assert all(line in page.text for line in told)
    assert len([*(out / "blog_example").glob("*/config.json")]) == 1, "runs that are left out leave no evidence"


def test_huge_files_are_not_read_into_memory(good: Path, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / "good")
    for name in ("config.json", "summary.json", "metrics.csv", "other.csv"):
        sparse(name)(shutil.copytree(good, tmp_path / name))
    tracemalloc.start()
    try:
        runs, problems = read_runs([tmp_path])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [run.directory.name for run in runs] == ["good"]
    assert len(problems) == 4
    assert peak < HUGE / 4


def test_odd_runs_are_shown_and_harmless(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd: list[Damage] = [
        config(status=SCRIPT, error=SCRIPT, seeds=[SCRIPT], resumed={"javascript:alert(1)": None}),
        config(device=f'"{SCRIPT} onload="alert(1)', git_commit=f"{SCRIPT}\udcff", versions={SCRIPT: SCRIPT, "x": [1]}),
        config(device=[[SCRIPT]], git_commit={SCRIPT: 1}, versions=[SCRIPT]),
        text("summary.json", '{"x":' * 900 + "1" + "}" * 900),
        text(f"{SCRIPT.replace('/', '∕')}.csv", "a,b\n1,2\n"),
        rewritten("config.json", lambda old: old.encode("utf-8-sig")),
        rewritten("metrics.csv", lambda old: old.encode("utf-8-sig")),
        cells(value=1e308),
        cells(value="-inf"),
        cells(value="nan"),
    ]
    for number, damage in enumerate(odd):
        directory = shutil.copytree(good, tmp_path / "tree" / str(number))
        option("first_seed", number)(directory)
        damage(directory)
    (chapter,) = report([tmp_path / "tree"], tmp_path / "out")
    assert len(chapter.runs) == len(odd)
    printed = capsys.readouterr().out
    assert "skipped" not in printed
    assert len([*(tmp_path / "out" / "blog_example").glob("*/summary.json")]) == len(odd)
    page = Page((tmp_path / "out" / "index.html").read_text())
    assert_harmless(page)
    assert page.text.count(SCRIPT) >= 3


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("true,predicted\n1,1.5\n", None),
        ("=1+1,predicted\n1,1.5\n", "a column name must not begin with"),
        ("true,predicted\n1,=1+1\n", "could not convert string to float: '=1+1'"),
    ],
)
def test_only_declared_tables_of_numbers_are_copied(
    table: str, told: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = next((ROOT / "runs" / "reference" / "number_translation").glob("*/config.json")).parent
    directory = shutil.copytree(reference, tmp_path / "run")
    forget_checksums(directory)
    for name in ("predictions.csv", "=1+1.csv", "notes.csv"):
        (directory / name).write_text(table)
    report([directory], tmp_path / "out")
    problems = [line for line in capsys.readouterr().out.splitlines() if line.startswith("the evidence of")]
    copied = {path.name: path.read_text() for path in (tmp_path / "out").rglob("*.csv") if path.parent.name != "out"}
    assert {"notes.csv", "=1+1.csv"}.isdisjoint(copied)
    if told is None:
        assert (problems, copied["predictions.csv"]) == ([], table)
    else:
        assert len(problems) == 1
        assert f"{directory} is incomplete: no readable predictions.csv" in problems[0]
        assert told in problems[0]
        assert "predictions.csv" not in copied


def test_options_that_are_text_reach_page_and_figures_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = next((ROOT / "runs" / "reference" / "mnist_counting").glob("*/config.json")).parent
    places = (SCRIPT, "[/red] {{ 1 }}", "$x^$ $\\foo$", "数字 é", '" onclick="alert(1)')
    for number, place in enumerate(places):
        directory = shutil.copytree(reference, tmp_path / "tree" / str(number))
        option("data_dir", place)(directory)
        change_json(directory / "summary.json", steps=1)  # unfinished runs are listed in a note
    refused = shutil.copytree(reference, tmp_path / "tree" / "refused")
    option("data_dir", "two\nlines")(refused)
    fetching = shutil.copytree(reference, tmp_path / "tree" / "fetching")
    for name, value in (("data_dir", str(tmp_path / "fetched")), ("dataset", "auto")):
        option(name, value)(fetching)
    (chapter,) = report([tmp_path / "tree"], tmp_path / "out")
    assert len(chapter.runs) == len(places)
    assert set(chapter.figures) == {path.stem for path in (tmp_path / "out" / "mnist_counting").glob("*.png")}
    assert "learning-curves" in chapter.figures
    printed = capsys.readouterr().out
    assert f"skipped {refused}: --data-dir must be a path of at most 1000 printable characters" in printed
    assert f"skipped {fetching}: its option dataset is auto" in printed
    assert not (tmp_path / "fetched").exists(), "no record makes a report download anything"
    page = Page((tmp_path / "out" / "index.html").read_text())
    assert_harmless(page)
    for place in places:
        assert f"data_dir {place}" in page.text
        assert place[:4] in printed
