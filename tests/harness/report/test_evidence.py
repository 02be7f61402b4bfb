"""The tables in the READMEs are those of runs/reference, and the present code makes them from its runs."""

from pathlib import Path

import pytest

from tasks.harness.cli.readme import ROOT, TABLE, readmes, refreshed
from tasks.harness.errors import UserError
from tasks.harness.files import read_json
from tasks.harness.registry import load_task, task_names
from tasks.harness.report.report import report

REFERENCE = ROOT / "runs" / "reference"


@pytest.mark.parametrize("readme", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in readmes()])
def test_tables_of_the_readmes_are_the_committed_ones(readme: Path) -> None:
    text = readme.read_text()
    assert text.count("<!-- table:") == text.count("<!-- /table -->") == len(TABLE.findall(text))
    assert refreshed(text) == text, "refresh it with: python -m tasks.harness.cli.readme"


@pytest.mark.parametrize("name", task_names())
def test_committed_runs_have_the_present_options(name: str) -> None:
    for path in sorted((REFERENCE / name).glob("*/config.json")):
        record = read_json(path)
        config = load_task(name).config.from_dict(record["config"])
        assert (record["task"], record["status"]) == (name, "complete"), path.parent
        assert config.to_dict() == config.BEFORE | record["config"], (
            f"{path.parent} has other options than there are now"
        )


@pytest.mark.parametrize("name", task_names())
def test_committed_tables_come_from_the_committed_runs(name: str, tmp_path: Path) -> None:
    committed = REFERENCE / name
    if not list(committed.glob("*/config.json")):
        pytest.skip(f"no runs of {name} are committed")
    report([committed], tmp_path)
    made = {path.name: path.read_text() for path in (tmp_path / name).glob("table-*")}
    there = {path.name: path.read_text() for path in committed.glob("table-*")}
    assert made == there, "a change that affects results refreshes the evidence: see README.md, Evidence"


def test_committed_evidence_is_small() -> None:
    committed = list(REFERENCE.rglob("*"))
    assert any(path.name == "summary.csv" for path in committed)
    for path in committed:
        assert path.name != "metrics.csv"
        assert path.suffix != ".pt"
        assert "tfevents" not in path.name
        assert path.stat().st_size < 1_000_000 or path.name == "index.html", path


def test_readmes_are_refreshed_only_between_the_marks(tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text("### One\n\n| a |\n|---|\n| \\1 |\n")
    text = "before\n<!-- table: one.md -->\nold\n\nolder\n<!-- /table -->\nafter <!-- table -->\n"
    expected = text.replace("old\n\nolder\n", (tmp_path / "one.md").read_text())
    assert refreshed(text, tmp_path) == expected
    assert refreshed(expected, tmp_path) == expected
    assert refreshed("no table", tmp_path) == "no table"
    with pytest.raises(UserError, match=r"a README shows two.md, which does not exist"):
        refreshed("<!-- table: two.md -->\n<!-- /table -->", tmp_path)
