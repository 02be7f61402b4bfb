"""A report does not depend on where its runs lie, and its page is safe to open."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.harness.cli.main import parse_run
from tasks.harness.errors import UserError
from tasks.harness.learning_curves import learning_curves
from tasks.harness.registry import load_task, task_names
from tasks.harness.report import chapter as chapter_of_a_task
from tasks.harness.report import command_lines
from tasks.harness.report.chapter import Chapter
from tasks.harness.report.curve_figures import draw_curves
from tasks.harness.report.loading import read_run, read_runs
from tasks.harness.report.page import page
from tasks.harness.report.report import report
from tasks.harness.tables import Table
from tasks.harness.training.run import run
from tests.helpers import ROOT, Page, change_json, files, forget_checksums

TASK = load_task("blog_example")
HOSTILE = "<script>alert('x')</script>\"&"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the blog's example."""
    root = tmp_path_factory.mktemp("runs")
    for steps in (20, 30):
        run(TASK, replace(TASK.smoke, steps=steps), root / f"steps-{steps}")
    return root


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(trained, tmp_path / "runs")


def test_a_report_is_the_same_wherever_the_runs_lie(runs: Path, tmp_path: Path) -> None:
    report([runs], tmp_path / "first")
    (runs / "steps-20").rename(runs / "zzz")
    runs.rename(tmp_path / "moved")
    report([tmp_path / "moved"], tmp_path / "second")
    assert files(tmp_path / "first") == files(tmp_path / "second")
    names = {name.split("/")[-1] for name in files(tmp_path / "first")}
    evidence = {"config.json", "summary.json", "summary.csv", "curves.csv", "formulas.txt"}
    assert names == {"index.html", "table-1.md", "table-1.csv", "test-loss.png", "learning-curves.png"} | evidence


def test_evidence_gives_the_same_tables_and_learning_curves(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report([runs], tmp_path / "first")
    report([tmp_path / "first"], tmp_path / "again")
    first, second = files(tmp_path / "first"), files(tmp_path / "again")
    assert first.keys() - second.keys() == {"blog_example/test-loss.png"}
    assert "the figures of blog_example are not redrawn" in capsys.readouterr().out
    assert all(second[name] == first[name] for name in second if name != "index.html")


def test_evidence_is_ignored_beside_its_run(runs: Path, tmp_path: Path) -> None:
    report([runs], tmp_path / "evidence")
    together, problems = read_runs([tmp_path])
    assert [run.directory for run in together] == sorted(runs.iterdir())
    assert not problems


def test_an_unfinished_run_is_shown_up_to_its_last_step(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = read_run(runs / "steps-20")
    change_json(runs / "steps-20" / "config.json", status="running")
    for name in ("summary.json", "summary.csv"):
        (runs / "steps-20" / name).unlink()
    metrics = runs / "steps-20" / "metrics.csv"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[: 1 + 2 * TASK.smoke.seeds]))  # the steps 0 and 10 of 0, 10 and 20
    half = read_run(runs / "steps-20")
    assert (half.summary["steps"], half.summary["seeds"]) == (10, TASK.smoke.seeds)
    assert (half.ran_all_steps, whole.ran_all_steps) == (False, True)
    assert half.per_seed["extrapolation/error"].tolist() == half.record()["extrapolation/error"][1].tolist()
    report([runs])
    assert re.search(
        r"Unfinished,\s+shown\s+with\s+their\s+results\s+so\s+far:.* \(10 of 20 steps\)", capsys.readouterr().out
    )

    metrics.write_text("".join(lines[: 1 + TASK.smoke.seeds]))
    with pytest.raises(UserError, match="no evaluated step yet"):
        read_run(runs / "steps-20")


def test_figures_of_many_runs_are_limited_and_say_so(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chapter_of_a_task, "MOST_DRAWN", 1)
    monkeypatch.setattr(chapter_of_a_task, "MOST_PANELS", 1)
    (chapter,) = report([runs], tmp_path)
    assert [len(table.rows) for table in chapter.tables] == [2]
    panels = {name: sum(axes.axison for axes in figure.axes) for name, figure in chapter.figures.items()}
    assert panels == {"test-loss": 1, "learning-curves": 1}
    told = [
        "the figures of blog_example show the first 1 of 2 runs",
        "the figures of blog_example with a panel for each run show the first 1 of 2 runs",
    ]
    assert set(told) <= set(capsys.readouterr().out.splitlines())
    assert all(line in (tmp_path / "index.html").read_text() for line in told)


def test_a_report_without_a_directory_draws_nothing(runs: Path) -> None:
    (chapter,) = report([runs])
    assert chapter.tables
    assert chapter.figures == {}


@pytest.mark.parametrize("name", ["identity", "mnist_counting", "single_module", "gridworld_time"])
def test_runs_of_the_same_name_share_a_legend_entry(name: str) -> None:
    runs, _ = read_runs([next((ROOT / "runs" / "reference" / name).glob("*/config.json")).parent])
    figures = load_task(name).figures(runs * 3).values()
    legends = [one.get_legend() for figure in figures for one in figure.axes if one.get_legend()]
    legends += [legend for figure in figures for legend in figure.legends]
    assert legends
    for legend in legends:
        labels = [text.get_text() for text in legend.get_texts()]
        assert len(set(labels)) == len(labels)


def test_axes_of_learning_curves_end_at_powers_of_ten(runs: Path) -> None:
    figure = draw_curves(read_runs([runs])[0], "title")
    low, high = np.log10(figure.axes[0].get_ylim())
    assert (low, high) == (round(low), round(high))
    assert low < high


DAMAGES = {
    "another task": ({"task": "astrology"}, {}, "unknown task 'astrology'"),
    "a task that is no name": ({"task": ["blog_example"]}, {}, "unknown task"),
    "no options": ({"config": None}, {}, "options must be an object"),
    "an unknown option": ({"config": {"sedes": 3}}, {}, "unknown option sedes"),
    "an option of another type": ({"config": {"examples": "100"}}, {}, "--examples cannot be '100'"),
    "a bool for a number": ({"config": {"seeds": True}}, {}, "--seeds cannot be True"),
    "a choice that is none": ({"config": {"schedule": HOSTILE}}, {}, "--schedule cannot be"),
    "a value out of range": ({"config": {"learning_rate": -1.0}}, {}, "--learning-rate must be above 0"),
    "text for a result": ({}, {"metrics": {"interpolation/error": HOSTILE}}, "its summary.json is not of the form"),
    "text in a result": ({}, {"rates": {"solved": {"count": HOSTILE}}}, "its summary.json is not of the form"),
    "no number of seeds": ({}, {"seeds": None}, "its summary.json is not of the form"),
    "no results": ({}, {"metrics": {}}, "it lacks a result that a table needs"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_unusable_runs_are_left_out_and_listed(
    runs: Path, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, summary, message = DAMAGES[damage]
    directory = runs / "steps-20"
    (directory / "metrics.csv").unlink()  # with a record, the results would be computed from it
    change_json(directory / "config.json", **config)
    change_json(directory / "summary.json", **summary)
    (chapter,) = report([runs], tmp_path / "out")
    assert [run.directory for run in chapter.runs] == [runs / "steps-30"]
    output = " ".join(capsys.readouterr().out.split())
    assert re.search(f"skipped {re.escape(str(directory))}: .*{re.escape(message)}", output)
    assert HOSTILE not in (tmp_path / "out" / "index.html").read_text()
    shutil.rmtree(runs / "steps-30")
    with pytest.raises(UserError, match=re.escape(message)):
        report([runs])


def test_results_are_computed_from_the_record_when_there_is_one(runs: Path) -> None:
    change_json(runs / "steps-20" / "summary.json", rates={})
    assert "solved" in read_run(runs / "steps-20").summary["rates"]
    record = runs / "steps-20" / "metrics.csv"
    record.write_text(record.read_text().replace("interpolation/error", "inner", 1))
    forget_checksums(record.parent)
    with pytest.raises(UserError, match="its record lacks 'interpolation/error'"):
        read_run(runs / "steps-20")


def test_learning_curves_are_bands_over_seeds(tmp_path: Path) -> None:
    seeds = range(11)
    rows = [f"{step},{seed},{seed / 10},{step + seed}" for step in (0, 5) for seed in seeds]
    rows[-1] = "5,10,nan,inf"  # a diverged seed ranks as the largest
    (tmp_path / "metrics.csv").write_text(
        "\n".join(["step,seed,interpolation/error,extrapolation/error", *rows]) + "\n"
    )
    curves = learning_curves(tmp_path)
    assert curves["step"].tolist() == [0, 5]
    np.testing.assert_allclose(curves["interpolation/error/p10"], [0.1, 0.1])
    np.testing.assert_allclose(curves["interpolation/error/median"], [0.5, 0.5])
    np.testing.assert_allclose(curves["extrapolation/error/p90"], [9, 14])


@pytest.mark.parametrize("name", task_names())
def test_the_command_of_a_run_gives_its_options_and_no_others(name: str) -> None:
    task = load_task(name)
    for config in (*task.sweep["quick"][-3:], *task.sweep["full"][-3:], task.smoke):
        words = shlex.split(command_lines.run_command(task, config))
        assert words[:3] == ["python", "-m", f"tasks.{name}"]
        parsed, _ = parse_run(task, words[3:], task.config(), "test")
        assert parsed.to_dict() == config.to_dict(), words
    assert (
        command_lines.run_command(task, replace(task.config(), first_seed=7)).count("--") <= 2
    )  # mnist names its digits
    assert (
        command_lines.sweep_command(task, task.sweep["quick"])
        == f"nalu reproduce --profile quick --tasks {task.command}"
    )
    assert command_lines.sweep_command(task, task.sweep["quick"][1:]) is None


def test_the_page_stands_alone(runs: Path, tmp_path: Path) -> None:
    report([runs], tmp_path)
    text = (tmp_path / "index.html").read_text()
    found = Page(text)
    assert text.startswith("<!DOCTYPE html>\n<html lang=")
    references = [*found.all("src"), *found.all("href"), *found.all("action"), *found.all("srcset")]
    assert all(reference.startswith(("#", "data:image/png;base64,")) for reference in references)
    assert not re.search(r"url\(|@import|https?:|fetch\(|import\(", text)
    assert {tag for tag, _ in found.tags} >= {"title", "main", "h1", "h2", "h3", "caption", "figcaption"}
    names = found.all("id")
    assert len(names) == len(set(names))
    assert {reference[1:] for reference in references if reference.startswith("#")} <= set(names)
    pictures = [attributes for tag, attributes in found.tags if tag == "img"]
    assert len(pictures) == 2
    assert all(picture["alt"].startswith("Chart. The blog's example") and picture["width"] for picture in pictures)
    assert any(attributes.get("name") == "viewport" for tag, attributes in found.tags if tag == "meta")
    for column in ("options", "verdict", "published", "seeds x steps"):
        assert column in found.text
    assert "nalu report" in found.text
    assert "python -m tasks.blog_example --seeds 3 --steps 30" in found.text


def test_text_from_records_is_escaped(runs: Path, tmp_path: Path) -> None:
    for directory in runs.iterdir():
        change_json(
            directory / "config.json", device=HOSTILE, git_commit=HOSTILE, versions={HOSTILE: HOSTILE}, seeds=HOSTILE
        )
    (runs / "steps-20").rename(runs / "<b>bold")
    change_json(runs / "<b>bold" / "config.json", task=HOSTILE)
    report([runs], tmp_path / "out")
    text = (tmp_path / "out" / "index.html").read_text()
    assert "<script>alert" not in text
    assert "<b>" not in text
    found = Page(text)
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert found.text.count(HOSTILE) >= 3
    assert "skipped" in found.text


def test_the_page_counts_verdicts_and_links_to_failed_comparisons(runs: Path) -> None:
    words = ["reproduced", "reproduced", "better", "not reproduced", "–", "not comparable", "undecided"]
    rows = [[f"row {number} {HOSTILE}", word, "1"] for number, word in enumerate(words)]
    judged, plain = Table("Judged", ("row", "verdict", "n"), rows), Table("Plain", ("row", "x"), [["better", "better"]])
    chapter = Chapter(TASK, [read_run(runs / "steps-20")], [plain, judged], {})
    found = Page(page([chapter], {TASK.name: []}))
    assert "Of 4 comparisons with published figures, 2 come out as reproduced , 1 as better and 1 as not" in found.text
    assert "#blog_example-2-4" in found.all("href")
    assert f"The blog's example: row 3 {HOSTILE}" in found.text
    assert found.all("class").count("verdict reproduced") == 1 + 2
    assert "None of these results" in Page(page([replace(chapter, tables=[plain])], {TASK.name: []})).text
