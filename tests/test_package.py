"""The built packages are complete, work where they are installed, and state their version and licences."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import nalu
from tasks.harness.rundir import provenance
from tasks.harness.rundir.provenance import git_commit
from tests.helpers import ROOT

INFO = f"nalu_suite-{nalu.__version__}.dist-info"

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def build(kind: str, source: Path, out: Path) -> Path:
    """The archive that the build backend makes of a source tree."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)], cwd=source, check=True, timeout=120
    )
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("source")
    archive = build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))
    subprocess.run([sys.executable, "-m", "tarfile", "-e", str(archive), str(folder)], check=True, timeout=120)
    (unpacked,) = folder.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, built from the source distribution."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(build("wheel", source, tmp_path_factory.mktemp("wheel"))) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(installed: Path) -> Message:
    return message_from_bytes((installed / INFO / "METADATA").read_bytes())


def names(folder: Path) -> set[str]:
    """The files below a folder, but for compiled Python."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_the_library_the_tasks_and_the_sample(installed: Path):
    assert {path.name for path in installed.iterdir()} == {"nalu", "tasks", INFO}
    assert names(installed / "nalu") == names(ROOT / "nalu")
    sample = {f"mnist_counting/mnist-sample/{name}" for name in names(ROOT / "data" / "mnist-sample")}
    assert len(sample) == 5
    assert names(installed / "tasks") == names(ROOT / "tasks") | sample
    assert {"py.typed", "README.md"} <= names(installed / "nalu")
    assert "harness/report/page.html" in names(installed / "tasks")


def run(command: list[str], installed: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory, with the unpacked wheel in the place of the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *command], cwd=directory, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_installed_sample_is_found_and_complete(installed: Path, tmp_path: Path):
    program = """
import json
from pathlib import Path
from tasks.mnist_counting import digits
sets = digits.load_digits("sample", Path("nowhere"))
print(json.dumps([str(digits.SAMPLE), len(sets.train.labels), len(sets.validation.labels), len(sets.test.labels)]))
"""
    done = run(["-c", program], installed, tmp_path)
    assert done.returncode == 0, done.stderr
    folder = installed / "tasks" / "mnist_counting" / "mnist-sample"
    assert json.loads(done.stdout) == [str(folder), 7000, 1000, 2000]


def test_a_command_that_needs_a_checkout_says_so(installed: Path, tmp_path: Path):
    done = run(["-m", "tasks.harness.cli.readme"], installed, tmp_path)
    needs = f"error: this command rewrites READMEs and needs a checkout of the project, but {installed} is not one\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", needs)


def test_licences_are_in_the_wheel(installed: Path, metadata: Message):
    licences = installed / INFO / "licenses"
    assert names(licences) == {"LICENSE", "data/mnist-sample/README.md"} == set(metadata.get_all("License-File"))
    assert (licences / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in (licences / "data/mnist-sample/README.md").read_text()


def test_the_installed_command_states_the_version_of_the_metadata(installed: Path, metadata: Message, tmp_path: Path):
    """The program starts the console script as an installer's script would."""
    program = """
import sys
from importlib.metadata import distribution
(command,) = distribution("nalu-suite").entry_points
assert (command.group, command.name) == ("console_scripts", "nalu")
sys.argv = ["nalu", "--version"]
command.load()()
"""
    done = run(["-c", program], installed, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"nalu {metadata['Version']}\n", "")
    assert metadata["Version"] == nalu.__version__


def test_source_distribution_can_be_tested(source: Path):
    for name in ("Makefile", ".ci/run", "pyproject.toml", "data/README.md", "tests/test_package.py"):
        assert (source / name).read_bytes() == (ROOT / name).read_bytes()
    evidence = {name for name in names(ROOT / "runs" / "reference") if name != "index.html"}
    assert names(source / "runs" / "reference") == evidence
    assert names(source / "benchmarks") == names(ROOT / "benchmarks")
    assert not {name for name in names(source) if "cache" in name or name.startswith(".hypothesis")}


@needs_git
def test_the_commit_is_recorded_only_where_git_tracks_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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
