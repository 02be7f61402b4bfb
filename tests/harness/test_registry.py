"""Tasks of other packages: found by their entry points, loaded only when asked for, refused in one line."""

import json
import sys
from pathlib import Path

import pytest

from tasks import TASKS
from tasks.harness.cli.commands import Reproduce
from tasks.harness.errors import OptionError, UserError
from tasks.harness.registry import all_task_names, find_task, installed_tasks, load_task, task_names
from tasks.harness.report.loading import read_run
from tests.helpers import call

CONSOLE = "from tasks.harness.cli.console import console; console()"
MODULES = {
    "stranger_good": """
from dataclasses import replace
from tasks.identity import TASK as IDENTITY
TASK = replace(IDENTITY, name="good_one", title="Good")
""",
    "stranger_import": "import nothing_here",
    "stranger_exit": "raise SystemExit('two\\nlines')",
    "stranger_empty": "",
    "stranger_type": "TASK = 3",
}
ENTRIES = {
    "good-one": "stranger_good",
    "broken-import": "stranger_import",
    "broken_exit": "stranger_exit",
    "broken-empty": "stranger_empty",
    "broken-type": "stranger_type",
    "broken-name": "stranger_good:TASK",
    "broken-value": "no module",
    "report": "stranger_type",
    "identity": "stranger_type",
}
BROKEN = {
    "broken_import": "cannot be loaded from stranger_import: ModuleNotFoundError: No module named 'nothing_here'",
    "broken_exit": "cannot be loaded from stranger_exit: SystemExit: two lines",
    "broken_empty": "cannot be loaded from stranger_empty: AttributeError: module 'stranger_empty' has no attribute",
    "broken_type": "must be a tasks.harness.contract.Task, but in stranger_type it is of type int",
    "broken_name": "must have the name 'broken_name', but in stranger_good:TASK it is 'good_one'",
    "broken_value": "cannot be loaded from no module: ",
}


def install(site: Path, package: str, entries: dict[str, str]) -> None:
    """What an installer writes for a package with these entry points."""
    information = site / f"{package}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}\n" for name, value in entries.items()]
    (information / "entry_points.txt").write_text("".join(["[nalu.tasks]\n", *lines]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, source in MODULES.items():
        (folder / f"{name}.py").write_text(source)
    install(folder, "stranger", ENTRIES)
    monkeypatch.syspath_prepend(str(folder))
    load_task.cache_clear()
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def test_names(site: Path) -> None:
    assert task_names() == TASKS
    assert all_task_names()[: len(TASKS)] == TASKS
    assert set(BROKEN) | {"good_one", "report"} <= set(installed_tasks())
    assert "identity" not in installed_tasks()
    assert load_task("identity").title == "Numerical extrapolation failures"
    assert not set(MODULES) & set(sys.modules), "names are known without importing anything"


def test_a_task_of_another_package(site: Path) -> None:
    for written in ("good-one", "good_one"):
        task = load_task(find_task(written))
        assert (task.name, task.title, task.command) == ("good_one", "Good", "good-one")
    with pytest.raises(UserError, match=r"^unknown task 'god-one'; did you mean good-one\?$"):
        find_task("god-one")
    with pytest.raises(UserError, match=r"^unknown task 'xyz'; wanted identity, static-arithmetic, .*good-one"):
        find_task("xyz")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_task_is_refused_in_one_line(site: Path, name: str) -> None:
    with pytest.raises(UserError) as error:
        load_task(name)
    assert str(error.value).startswith(f"the task {name.replace('_', '-')} {BROKEN[name]}")
    assert "\n" not in str(error.value)


def test_two_packages_with_one_name(site: Path) -> None:
    install(site, "other", {"good_one": "other"})
    with pytest.raises(UserError, match=r"^several packages name a task good-one: other, stranger_good$"):
        load_task("good_one")


def test_the_names_of_a_sweep(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for written in ("good-one", "good_one"):
        assert [task.name for task in Reproduce(tasks=(written,))._tasks()] == ["good_one"]
    with pytest.raises(OptionError, match=r"--tasks must be among .*, got god-one; did you mean good-one\?"):
        Reproduce(tasks=("god-one",))
    with pytest.raises(UserError, match="the task broken-type must be"):
        list(Reproduce(tasks=("broken-type", "identity"))._tasks())
    assert capsys.readouterr().err == ""
    assert [task.name for task in Reproduce()._tasks()] == [*TASKS, "good_one"]
    assert len(capsys.readouterr().err.splitlines()) == len(BROKEN) + 1  # with "report", which has the wrong type


def test_a_record_imports_nothing_that_is_not_installed(site: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in ("stranger_good", "stranger_good:TASK", "tasks.identity", "good-one", "this", ""):
        (tmp_path / "run" / "config.json").write_text(json.dumps({"task": name, "config": {}}))
        with pytest.raises(UserError, match=f"^unknown task '{name}'; no installed package has it$"):
            read_run(tmp_path / "run")
    assert not {"this", *MODULES} & set(sys.modules)
    (tmp_path / "run" / "config.json").write_text(json.dumps({"task": "broken_import", "config": {}}))
    with pytest.raises(UserError, match=r"^the task broken-import cannot be loaded"):
        read_run(tmp_path / "run")


def test_broken_tasks_are_listed_on_stderr_and_harm_no_other(site: Path, tmp_path: Path) -> None:
    paths = {"PYTHONPATH": f"{site}:{Path(__file__).parents[2]}"}
    listed = call([sys.executable, "-c", CONSOLE, "list"], tmp_path, **paths)
    assert listed.returncode == 0
    commands = [line.split()[0] for line in listed.stdout.splitlines()]
    assert commands == [*(name.replace("_", "-") for name in TASKS), "good-one"]
    problems = [*BROKEN, "report"]
    assert len(listed.stderr.splitlines()) == len(problems)
    for name in problems:
        assert f"not available: the task {name.replace('_', '-')} " in listed.stderr
