"""Shell completion: the script is printed, a shell can read it, and it completes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.harness.cli.main import parse_run
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task
from tests.helpers import ROOT, call

PROGRAM = """
import sys
from tasks.harness.cli.console import console
sys.argv[0] = "nalu"
console()
"""
NALU = [sys.executable, "-c", PROGRAM]
IDENTITY = [sys.executable, "-m", "tasks.identity"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("command", "words", "function", "completed"),
    [
        (NALU, "nalu stat", "_tyro_nalu", "static-arithmetic"),
        (IDENTITY, "python -m tasks.identity --seed-", "_tyro_python__m_tasks_identity", "--seed-chunk"),
    ],
)
def test_bash(command: list[str], words: str, function: str, completed: str, tmp_path: Path) -> None:
    printed = call([*command, "--tyro-print-completion", "bash"], tmp_path, PYTHONPATH=str(ROOT))
    assert (printed.returncode, printed.stderr) == (0, "")
    script = tmp_path / "completion.sh"
    script.write_text(printed.stdout)
    assert call(["bash", "-n", str(script)], tmp_path).returncode == 0
    last = len(words.split()) - 1
    ask = f"source {script}; COMP_WORDS=({words}); COMP_CWORD={last}; {function}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    assert subprocess.check_output(["bash", "-c", ask], text=True) == f"{completed}\n"


def test_an_unknown_shell_is_refused_in_one_line() -> None:
    task = load_task("identity")
    with pytest.raises(UserError, match=r"^Shell should be one .*, but got ksh$"):
        parse_run(task, ["--tyro-print-completion", "ksh"], task.config(), "test")
    with pytest.raises(UserError, match=r"^Unrecognized options: --tyro-print-completion"):
        parse_run(task, ["--tyro-print-completion"], task.config(), "test")
