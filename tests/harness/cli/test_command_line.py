"""The commands that users type, run as real processes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.harness.cli.commands import COMMANDS
from tasks.harness.cli.main import parse_run
from tasks.harness.cli.parsing import parse
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task, task_names
from tasks.harness.rundir import checkpoint
from tests.helpers import ROOT, call, heed_interrupts, wait_until, without_times

STATIC = [sys.executable, "-m", "tasks.static_arithmetic"]
QUICK = ["--seeds", "3", "--steps", "60", "--eval-every", "20", "--eval-size", "100", "--device", "cpu"]


def write_config(directory: Path, text: str) -> None:
    directory.mkdir()
    (directory / "config.json").write_text(text)


BAD_INPUT = {
    "unknown option": (["--sedes", "3"], "Unrecognized options: --sedes"),
    "unknown operation": (["--op", "modulo"], "invalid choice 'modulo' for argument '--op'"),
    "unknown cell": (["--cell", "nalu2"], "invalid choice 'nalu2' for argument '--cell'"),
    "no value": (["--seeds"], "Missing value for argument '--seeds'"),
    "word for a number": (["--seeds", "many"], "Error parsing --seeds"),
    "fraction for a count": (["--steps", "1.5"], "Error parsing --steps"),
    "stray word": (["add"], "Unrecognized options: add"),
    "zero seeds": (["--seeds", "0"], "--seeds must lie in 1..2147483647, got 0"),
    "negative steps": (["--steps", "-5"], "--steps must lie in 1..2147483647, got -5"),
    "zero interval": (["--eval-every", "0"], "--eval-every must lie in 1..2147483647, got 0"),
    "negative seed": (["--first-seed", "-1"], "--first-seed must lie in 0..2147483622, got -1"),
    "reversed range": (["--interpolation-range", "2", "1"], "--interpolation-range must be LOW HIGH"),
    "three bounds": (["--extrapolation-range", "1", "2", "3"], "got 1 2 3"),
    "subsets too large": (["--subset-ratio", "0.9"], "must give two subsets that fit into --input-size 100"),
    "more seeds than numbers": (["--seeds", "9" * 30], "--seeds must lie in 1..2147483647"),
    "more memory than there is": (
        ["--eval-size", "2000000000", "--seeds", "1", "--out", "memory"],
        "not enough memory for these sizes",
    ),
    "root of a negative number": (["--op", "root", "--interpolation-range", "-2", "-1"], "must lie in [0, 1e+06]"),
    "range beyond float32": (["--extrapolation-range", "1", "1e39"], "must lie in [-1e+06, 1e+06], got 1 1e+39"),
    "record without options": (["--resume", "--out", "empty"], "empty was started with --seeds None"),
    "negative rate": (["--learning-rate", "-1"], "--learning-rate must be above 0, got -1.0"),
    "not a number": (["--learning-rate", "nan"], "--learning-rate must be above 0, got nan"),
    "no such device": (["--device", "tpu"], "invalid choice 'tpu' for argument '--device'"),
    "both ways": (["--resume", "--overwrite"], "--resume and --overwrite cannot be combined"),
    "nothing to resume": (["--resume", "--out", "nowhere"], "--resume needs a run to continue"),
    "file for a directory": (["--out", "file"], "--out must be a directory, but file is a file"),
    "foreign directory": (["--out", "foreign"], "foreign contains files that are not from a run"),
    "damaged record": (["--resume", "--out", "damaged"], "no readable config.json in damaged"),
    "unwritable": (["--out", "/proc/run"], "cannot read or write /proc/run"),
}


def test_bad_input_gives_one_line_and_status_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("mine")
    write_config(tmp_path / "damaged", "{")
    write_config(tmp_path / "empty", '{"task": "static_arithmetic", "config": []}')
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda case: call([*STATIC, *case[0]], tmp_path), BAD_INPUT.values()))
    for (name, (_, message)), result in zip(BAD_INPUT.items(), results, strict=True):
        assert result.returncode == 2, (name, result.stderr)
        assert result.stdout == "", name
        assert result.stderr.startswith("error: "), (name, result.stderr)
        assert result.stderr.count("\n") == 1, (name, result.stderr)
        assert message in result.stderr, name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "empty", "file", "foreign", "memory"]
    assert (tmp_path / "foreign" / "thesis.tex").read_text() == "mine"


def test_a_run_is_never_overwritten_silently(tmp_path: Path) -> None:
    command = [*STATIC, *QUICK, "--out", "run"]
    first = call(command, tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stderr == "", "no progress bar without a terminal"
    assert "solved" in first.stdout
    assert "record: run" in first.stdout
    record = (tmp_path / "run" / "metrics.csv").read_bytes()

    refused = call(command, tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == "error: run already holds a run; use --resume, --overwrite or another --out\n"
    other = call([*command, "--resume", "--op", "sub"], tmp_path)
    assert other.returncode == 2
    assert other.stderr == "error: run was started with --op add and cannot continue with --op sub; use another --out\n"
    complete = call([*STATIC, "--out", "run", "--resume"], tmp_path)
    assert complete.returncode == 0, complete.stderr
    assert complete.stdout == first.stdout
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == record

    (tmp_path / "run" / "notes.txt").write_text("mine")
    again = call([*command, "--overwrite", "--op", "sub"], tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "run" / "metrics.csv").read_bytes() != record
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


LONG = shlex.split("--cell nalu --seeds 4 --steps 4000 --eval-every 50 --eval-size 100 --device cpu")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("uninterrupted")
    result = call([*STATIC, *LONG, "--out", "run"], directory)
    assert result.returncode == 0, result.stderr
    return directory / "run"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_resumes_to_the_same_results(
    tmp_path: Path, number: signal.Signals, uninterrupted: Path
) -> None:
    process = subprocess.Popen(
        [*STATIC, *LONG, "--out", "broken"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    wait_until(lambda: checkpoint.newest(tmp_path / "broken") is not None)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    status = json.loads((tmp_path / "broken" / "config.json").read_text())["status"]
    if number == signal.SIGKILL:
        assert (process.returncode, status) == (-9, "running"), errors
    else:
        # When the signal interrupts code run by exec(), Python ends itself by SIGINT; shells report 130, too.
        assert process.returncode in (130, -signal.SIGINT), errors
        assert status == "interrupted"
        assert errors.count("\n") == 1
        assert "--resume" in errors
    assert not (tmp_path / "broken" / "summary.json").exists()

    resumed = call([*STATIC, "--out", "broken", "--resume"], tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("metrics.csv", "summary.csv"):
        assert (tmp_path / "broken" / name).read_bytes() == (uninterrupted / name).read_bytes(), name
    assert without_times(tmp_path / "broken" / "summary.json") == without_times(uninterrupted / "summary.json")
    resumptions = json.loads((tmp_path / "broken" / "config.json").read_text())["resumed"]
    assert [0 < resumption["step"] < 4000 for resumption in resumptions] == [True]


def test_the_console_script(tmp_path: Path) -> None:
    script = [str(Path(sys.executable).parent / "nalu")]
    usage, listing, wrong = (call([*script, *rest], tmp_path) for rest in (["--help"], ["list"], ["statik"]))
    assert usage.returncode == listing.returncode == 0
    for name in task_names():
        assert load_task(name).command in usage.stdout
        assert load_task(name).command in listing.stdout
    assert wrong.returncode == 2
    assert re.fullmatch(r"error: unknown command 'statik'; nalu knows list, .*\n", wrong.stderr)
    run = call([*script, "static-arithmetic", *QUICK, "--out", "run"], tmp_path)
    assert run.returncode == 0, run.stderr
    shown = call([*script, "report", "run", "--out", "report"], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "add nalu" in shown.stdout
    assert (tmp_path / "report" / "static_arithmetic" / "table-1.md").exists()
    assert shown.stdout.endswith("report: report/index.html\n")
    assert (tmp_path / "report" / "index.html").exists()
    nothing = call([*script, "report", "empty"], tmp_path)
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)
    assert "no run found in empty" in nothing.stderr
    write_config(tmp_path / "strange", '{"task": "static_arithmetic", "config": {"op": ["mul"]}}')
    strange = call([*script, "report", "strange"], tmp_path)
    assert (strange.returncode, strange.stderr.count("\n")) == (2, 1)
    assert "skipped strange: --op cannot be ['mul']" in strange.stderr
    bad = call([*script, "reproduce", "--tasks", "astrology"], tmp_path)
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert re.search("--tasks must be among .*static-arithmetic.*, got astrology", bad.stderr)


@pytest.mark.parametrize("name", task_names())
def test_help_shows_every_option(name: str, tmp_path: Path) -> None:
    result = call([sys.executable, "-m", f"tasks.{name}", "--help"], tmp_path)
    assert result.returncode == 0
    for option in load_task(name).config().to_dict():
        assert f"--{option.replace('_', '-')}" in result.stdout


def documented_commands() -> list[str]:
    """Every command of a task or of nalu in every README, with continued lines joined."""
    found = []
    for readme in [ROOT / "README.md", *sorted(ROOT.glob("*/**/README.md"))]:
        if ".venv" in readme.parts:
            continue
        text = readme.read_text().replace("\\\n", " ")
        found += re.findall(r"^\s*(?:\$ )?(python -m tasks\.\w+.*|nalu [a-z-]+.*)$", text, flags=re.MULTILINE)
    return found


def test_there_are_documented_commands_of_every_task() -> None:
    commands = "\n".join(documented_commands())
    for name in task_names():
        assert f"tasks.{name}" in commands or f"nalu {load_task(name).command}" in commands, name


@pytest.mark.parametrize("command", documented_commands())
def test_documented_commands_parse(command: str, tmp_path: Path) -> None:
    words = shlex.split(command, comments=True)
    if words[:2] == ["python", "-m"] and words[2].count(".") > 1:  # a further command of the task
        usage = call([sys.executable, "-m", words[2], "--help"], tmp_path)
        assert usage.returncode == 0, usage.stderr
        assert all(word in usage.stdout for word in words if word.startswith("--"))
        return
    if words[:2] == ["python", "-m"]:
        name, arguments = words[2].removeprefix("tasks."), words[3:]
    else:
        name, arguments = words[1].replace("-", "_"), words[2:]
    if words[1] in COMMANDS:
        parse(COMMANDS[words[1]], arguments, "nalu", "")
        return
    task = load_task(name)
    parse_run(task, arguments, task.config(), "test")


def test_a_wrong_option_is_refused() -> None:
    task = load_task("static_arithmetic")
    with pytest.raises(UserError, match="--opp"):
        parse_run(task, ["--opp", "add"], task.config(), "test")
