"""What is installed is whole, and says truly what it is."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import EntryPoints
from pathlib import Path

import pytest

import nalu
from tasks.harness.rundir import provenance
from tasks.harness.rundir.provenance import git_commit

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INFO = f"nalu_suite-{nalu.__version__}.dist-info"

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def build(kind: str, source: Path, out: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)], cwd=source, check=True, timeout=120
    )
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel unpacks to, built from the source distribution."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(build("wheel", source, tmp_path_factory.mktemp("wheel"))) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(installed: Path) -> Message:
    return message_from_bytes((installed / INFO / "METADATA").read_bytes())


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_the_library_the_tasks_and_the_sample(installed: Path):
    assert {path.name for path in installed.iterdir()} == {"nalu", "tasks", INFO}
    assert files(installed / "nalu") == files(ROOT / "nalu")
    sample = {f"mnist_counting/mnist-sample/{name}" for name in files(ROOT / "data" / "mnist-sample")}
    assert len(sample) == 5
    assert files(installed / "tasks") == files(ROOT / "tasks") | sample
    assert {"py.typed", "README.md"} <= files(installed / "nalu")
    assert "harness/report/page.html" in files(installed / "tasks")


def test_installed_sample_is_found_and_whole(installed: Path, tmp_path: Path):
    program = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tasks.mnist_counting import digits
sets = digits.load_digits("sample", Path("nowhere"))
print(json.dumps([str(digits.SAMPLE), len(sets.train.labels), len(sets.validation.labels), len(sets.test.labels)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(installed)],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    folder = installed / "tasks" / "mnist_counting" / "mnist-sample"
    assert json.loads(done.stdout) == [str(folder), 7000, 1000, 2000]


def test_what_needs_a_checkout_says_so(installed: Path, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "tasks.harness.cli.readme"], env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    needs = f"error: this command rewrites READMEs and needs a checkout of the project, but {installed} is not one\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", needs)


def test_licences_are_in_the_wheel(installed: Path, metadata: Message):
    assert metadata["License-Expression"] == "MIT AND CC-BY-SA-3.0"
    licences = installed / INFO / "licenses"
    assert files(licences) == {"LICENSE", "data/mnist-sample/README.md"} == set(metadata.get_all("License-File"))
    assert (licences / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in (licences / "data/mnist-sample/README.md").read_text()


def test_metadata_is_that_of_the_project(installed: Path, metadata: Message):
    assert metadata["Version"] == nalu.__version__
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    (command,) = EntryPoints._from_text((installed / INFO / "entry_points.txt").read_text())
    assert (command.group, command.name, command.value) == ("console_scripts", "nalu", PROJECT["scripts"]["nalu"])


def test_source_distribution_can_be_tested(source: Path):
    for name in ("Makefile", ".ci/run", "pyproject.toml", "data/README.md", "tests/test_package.py"):
        assert (source / name).read_bytes() == (ROOT / name).read_bytes()
    evidence = {name for name in files(ROOT / "runs" / "reference") if name != "index.html"}
    assert files(source / "runs" / "reference") == evidence
    assert files(source / "benchmarks") == files(ROOT / "benchmarks")
    assert not {name for name in files(source) if "cache" in name or name.startswith(".hypothesis")}


@needs_git
def test_commit_is_recorded_only_where_git_tracks_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    code = tmp_path / "provenance.py"
    monkeypatch.setattr(provenance, "__file__", str(code))
    code.touch()
    assert git_commit() is None
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "another project, whose environment holds the package")
    assert git_commit() is None
    git("add", "provenance.py")
    git("commit", "--quiet", "--message", "the code itself")
    assert git_commit() == git("rev-parse", "HEAD")
    code.write_text("changed\n")
    assert git_commit() == git("rev-parse", "HEAD") + "-dirty"


def test_every_requirement_has_a_lower_bound():
    extras = PROJECT["optional-dependencies"].values()
    for requirement in [*PROJECT["dependencies"], *(entry for extra in extras for entry in extra)]:
        assert re.fullmatch(r"[\w-]+(\[\w+\])?>=[\d.]+", requirement), requirement


def test_workflow_runs_what_is_run_here():
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text().splitlines()
    commands = [line.partition("run:")[2].strip() for line in workflow if line.lstrip(" -").startswith("run:")]
    assert commands == [".ci/run"]
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
    assert workflow[workflow.index("permissions:") + 1] == "  contents: read"
    (versions,) = (line for line in workflow if line.strip().startswith("python: ["))
    assert re.findall(r'"([\d.]+)"', versions)[0] == PROJECT["requires-python"].removeprefix(">=")
