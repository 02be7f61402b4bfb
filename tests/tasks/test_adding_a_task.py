"""Adding a task takes what the README says: a copied folder, its new name, and one word in TASKS."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT, call

SMALLEST, NAME = "identity", "copied_task"
TESTS = ("__init__.py", "conftest.py", "helpers.py", "tasks/__init__.py", "tasks/test_conformance.py")
CONSOLE = "from tasks.harness.cli.main import console; console()"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with one more task."""
    root = tmp_path_factory.mktemp("checkout")
    for package in ("nalu", "tasks"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", *(f"tests/{name}" for name in TESTS)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)

    shutil.copytree(root / "tasks" / SMALLEST, root / "tasks" / NAME)
    for path in (root / "tasks" / NAME).iterdir():
        path.write_text(re.sub(rf"\b{SMALLEST}\b", NAME, path.read_text()))
    registry = root / "tasks" / "__init__.py"
    text = registry.read_text()
    assert text.count(f'"{SMALLEST}",') == 1
    registry.write_text(text.replace(f'"{SMALLEST}",', f'"{SMALLEST}", "{NAME}",'))
    return root


def python(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the checkout with the packages of the checkout; fail when it fails."""
    done = call([sys.executable, *arguments], checkout, PYTHONPATH=str(checkout))
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_copied_task_passes_the_conformance_tests(checkout: Path) -> None:
    selected = f"{NAME} or registry"
    done = python(checkout, "-m", "pytest", "tests/tasks/test_conformance.py", "-p", "no:cacheprovider", "-k", selected)
    conformance = (ROOT / "tests" / "tasks" / "test_conformance.py").read_text()
    assert f"{conformance.count('def test_')} passed" in done.stdout


def test_the_copied_task_is_listed_and_runs(checkout: Path) -> None:
    command = NAME.replace("_", "-")
    listing = python(checkout, "-c", CONSOLE, "list").stdout
    assert [line.split()[0] for line in listing.splitlines()].count(command) == 1
    run = python(checkout, "-m", f"tasks.{NAME}", "--seeds", "2", "--steps", "4", "--eval-every", "2", "--out", "run")
    assert run.stdout.endswith("record: run\n")
    described = json.loads((checkout / "run" / "config.json").read_text())
    assert (described["task"], described["status"]) == (NAME, "complete")
    assert len((checkout / "run" / "metrics.csv").read_text().splitlines()) == 1 + 3 * 2
