"""``nalu new-task`` as a package of one's own: built, installed, trained, reported; and what it refuses."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tasks.harness.cli import check
from tasks.harness.cli.check import Check
from tasks.harness.cli.new_task import NewTask
from tasks.harness.cli.parsing import parse
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task
from tasks.harness.report.report import report
from tests.helpers import ROOT, call, files

CONSOLE = "from tasks.harness.cli.console import console; console()"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The written package."""
    folder = tmp_path_factory.mktemp("mine")
    parse(NewTask, ["my-sum", "--in", str(folder)], "nalu new-task", "")()
    return folder / "my-sum"


def test_the_files(package: Path) -> None:
    skeleton = ROOT / "tasks" / "harness" / "skeleton"
    names = {name.replace("my_task", "my_sum") for name in files(skeleton) if "__pycache__" not in name}
    assert files(package).keys() == names - {"readme.md"} | {"README.md"}
    for name, content in files(package).items():
        assert b"my_task" not in content.lower(), name
        assert b"my-task" not in content.lower(), name
        assert b"My task" not in content, name


def test_the_package_is_installed_trained_and_reported(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=package, check=True, timeout=120, capture_output=True)
    with zipfile.ZipFile(tmp_path / "my_sum-0.1.0-py3-none-any.whl") as wheel:
        wheel.extractall(tmp_path / "site")
    options = ["--seeds", "2", "--steps", "20", "--eval-every", "10", "--out", "run"]
    paths = f"{tmp_path / 'site'}:{ROOT}"
    trained = call([sys.executable, "-c", CONSOLE, "my-sum", *options], tmp_path, PYTHONPATH=paths)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))

    with pytest.raises(UserError, match=r"no run can be used: skipped .*: unknown task 'my_sum'"):
        report([tmp_path / "run"])
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (chapter,) = report([tmp_path / "run"], tmp_path / "report")
    assert chapter.figures.keys() == {"solved", "learning-curves"}
    assert [row[:2] for row in chapter.tables[0].rows] == [["nmu", "0 % [0, 66]"]]
    assert "nalu my-sum --seeds 2" in (tmp_path / "report" / "index.html").read_text()
    load_task.cache_clear()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1x", "NAME must be lower-case letters, digits, - and _, and begin with a letter, got '1x'"),
        ("a/b", "NAME must be lower-case letters"),
        ("..", "NAME must be lower-case letters"),
        ("Sum", "NAME must be lower-case letters"),
        ("sum_", "NAME must be lower-case letters"),
        ("", "NAME must be lower-case letters"),
        ("class", "NAME must not be a word of Python, got class"),
        ("report", "report is already a task or a command of nalu; choose another name"),
        ("static_arithmetic", "static-arithmetic is already a task or a command of nalu"),
        ("torch", "there is already a module named torch; choose another name"),
        ("taken", "taken exists already; choose another name, or delete it"),
    ],
)
def test_names_that_are_refused(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("mine")
    with pytest.raises(UserError) as error:
        parse(NewTask, [name, "--in", str(tmp_path)], "nalu new-task", "")()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert files(tmp_path) == {"taken/thesis.tex": b"mine"}


def test_check_without_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^nalu check needs pytest: pip install pytest$"):
        Check("identity")()
    with pytest.raises(UserError, match=r"^unknown task 'identty'; did you mean identity\?$"):
        Check("identty")()
