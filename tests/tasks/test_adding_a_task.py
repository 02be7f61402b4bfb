"""Adding a task to the checkout takes what the README says: ``nalu new-task``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT, call

NAME, COMMAND = "copied_task", "copied-task"
TESTS = ("__init__.py", "conftest.py", "helpers.py", "tasks/__init__.py", "tasks/test_conformance.py")
CONSOLE = "from tasks.harness.cli.console import console; console()"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with one more task."""
    root = tmp_path_factory.mktemp("checkout")
    for package in ("nalu", "tasks"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", *(f"tests/{name}" for name in TESTS)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    done = python(root, "-c", CONSOLE, "new-task", COMMAND)
    folder = root / "tasks" / NAME
    listed = python(root, "-c", CONSOLE, "list")
    assert (listed.stderr, f"\n{COMMAND} " in listed.stdout) == ("", True)
    next_steps = f"then: nalu {COMMAND}; nalu reproduce --tasks {COMMAND}; nalu check {COMMAND}\n"
    assert done.stdout == f"{COMMAND}: written to {folder}, and registered in tasks/__init__.py\n{next_steps}"
    return root


def python(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the checkout with the packages of the checkout; fail when it fails."""
    done = call([sys.executable, *arguments], checkout, PYTHONPATH=str(checkout))
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_new_task_passes_the_conformance_tests(checkout: Path) -> None:
    conformance = (ROOT / "tasks" / "harness" / "conformance.py").read_text()
    done = python(checkout, "-c", CONSOLE, "check", NAME)
    assert f"\n{conformance.count('def test_')} passed" in done.stdout


def test_the_tests_of_the_checkout_include_the_new_task(checkout: Path) -> None:
    selected = f"registry or (test_card and {NAME}) or (test_files and {NAME}) or test_{NAME}"
    tests = ("tests/tasks/test_conformance.py", f"tests/tasks/test_{NAME}.py")
    done = python(checkout, "-m", "pytest", *tests, "-p", "no:cacheprovider", "-k", selected)
    assert "\n6 passed" in done.stdout  # three for every task, and three of its own


def test_the_new_task_is_clean(checkout: Path) -> None:
    files = (f"tasks/{NAME}", f"tests/tasks/test_{NAME}.py", "tasks/__init__.py")
    python(checkout, "-m", "ruff", "check", "--no-cache", *files)
    python(checkout, "-m", "ruff", "format", "--no-cache", "--check", *files)


def test_the_new_task_runs(checkout: Path) -> None:
    run = python(checkout, "-m", f"tasks.{NAME}", "--seeds", "2", "--steps", "4", "--eval-every", "2", "--out", "run")
    assert run.stdout.endswith("record: run\n")
    described = json.loads((checkout / "run" / "config.json").read_text())
    assert (described["task"], described["status"]) == (NAME, "complete")
    assert len((checkout / "run" / "metrics.csv").read_text().splitlines()) == 1 + 3 * 2


@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        ("train.py", ("import Adam", "import Adma"), "train, line 10: nalu has no Adma"),
        ("train.py", ("from .data import EXTRA", "from .data import ULTRA"), "has no ULTRAPOLATION_RANGE"),
        ("train.py", ("from .model", "from .modell"), "no module tasks.copied_task.modell"),
        ("model.py", ("from torch import", "from torhc import"), "model, line 5: no module torhc"),
        ("options.py", ("kw_only=True)", "kw_only=True"), "options, line 14: '(' was never closed"),
        ("__init__.py", ("TASK = Task(", "CARD = Task("), "tasks.copied_task has no TASK"),
        ("__init__.py", ("TASK = Task(", "TASK = 3\nCARD = Task("), "but TASK is 3"),
    ],
)
def test_a_broken_task_is_named(checkout: Path, file: str, change: tuple[str, str], problem: str) -> None:
    path = checkout / "tasks" / NAME / file
    before = path.read_text()
    path.write_text(before.replace(*change, 1))
    try:
        listed = python(checkout, "-c", CONSOLE, "list")
    finally:
        path.write_text(before)
    commands = [line.split()[0] for line in listed.stdout.splitlines()]
    assert "gridworld-time" in commands
    assert COMMAND not in commands
    assert listed.stderr.startswith(f"not available: the task {COMMAND} ")
    assert listed.stderr.endswith(f"{problem}\n")
    assert listed.stderr.count("\n") == 1


def test_a_broken_task_harms_no_other_command(checkout: Path) -> None:
    path = checkout / "tasks" / NAME / "train.py"
    before = path.read_text()
    path.write_text(before.replace("import torch\n", "import nothing_here\n", 1))
    try:
        help_of_all = python(checkout, "-c", CONSOLE, "--help")
    finally:
        path.write_text(before)
    cause = "ModuleNotFoundError: No module named 'nothing_here'"
    broken = f"the task {COMMAND} cannot be loaded from tasks.{NAME}: {cause}"
    assert help_of_all.stderr == f"not available: {broken}\n"
    assert "gridworld-time" in help_of_all.stdout
    assert COMMAND not in help_of_all.stdout
