"""Compilers leave nothing behind: not after they are done, and not for long after a kill."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nalu.training.scratch import PREFIX, scratch_folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TMPDIR", raising=False)
    return tmp_path


def test_temporary_files_lie_in_the_folder_and_go_with_it(temporary: Path) -> None:
    with scratch_folder() as folder:
        command = [sys.executable, "-c", "import tempfile; print(tempfile.mkdtemp())"]
        child = subprocess.run(command, capture_output=True, text=True, check=True)
        for made in (tempfile.mkdtemp(), child.stdout.strip()):
            assert Path(made).parent == folder
    assert list(temporary.iterdir()) == []
    assert tempfile.gettempdir() == str(temporary)
    assert "TMPDIR" not in os.environ


def test_what_a_killed_process_left_is_deleted_and_what_others_use_is_not(temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    left, used = temporary / f"{PREFIX}{ended.pid}-a", temporary / f"{PREFIX}{os.getppid()}-b"
    others = temporary / "another-folder"
    for folder in (left, used, others):
        folder.mkdir()
        (folder / "file").touch()
    with scratch_folder():
        assert not left.exists()
    assert {path.name for path in temporary.iterdir()} == {used.name, others.name}


TWICE = """
import torch
from nalu import NAC, CompiledBackward, Ensemble

for power in (2, 4):
    def objective(model, x):
        loss = model(x).pow(power).mean(dim=(1, 2))
        return loss, loss

    CompiledBackward(Ensemble(lambda: NAC(2, 1), seeds=range(2)), objective, compiled=True)(torch.ones(2, 4, 2))
"""


def test_a_process_compiles_twice_where_nothing_was_compiled_before(tmp_path: Path) -> None:
    """The compiler's cache is empty, so that its headers are compiled for the first and needed for the second."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORCHINDUCTOR")}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONWARNINGS": "error:training is not compiled:UserWarning"}
    environment["TORCHINDUCTOR_VEC_ISA_OK"] = "0"  # spares the compiler's trials of vector instructions, half the time
    done = subprocess.run([sys.executable, "-c", TWICE], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert not [*tmp_path.glob(f"{PREFIX}*")]
