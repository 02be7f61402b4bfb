"""The settings of ruff refuse shipped code that could run the content of a file."""

import json
import subprocess
import sys

import pytest

from tests.helpers import ROOT

DANGEROUS = {
    "eval(x)": "S307",
    "exec(x)": "S102",
    "os.system(x)": "S605",
    "subprocess.run(x, shell=True)": "S602",
    "pickle.loads(x)": "S301",
    "load = pickle.load": "TID251",
    "dill.loads(x)": "S301",
    "shelve.open(x)": "S301",
    "marshal.loads(x)": "S302",
    "yaml.load(x)": "S506",
    "torch.load(x)": "TID251",
    "torch.load(x, weights_only=False)": "TID251",
    "torch.jit.load(x)": "TID251",
    "np.load(x, allow_pickle=True)": "TID251",
}
"""The rule that refuses each statement."""
HARMLESS = ("model.eval()", "torch.compile(x)", "re.compile(x)", "yaml.safe_load(x)", "json.loads(x)")
IMPORTS = ("import json, marshal, os, pickle, re, shelve, subprocess", "import dill, numpy as np, torch, yaml")


@pytest.mark.parametrize("package", ["nalu", "tasks", "benchmarks"])
def test_dangerous_statements_are_refused(package: str) -> None:
    lines = [*IMPORTS, *DANGEROUS, *HARMLESS]
    command = ["-m", "ruff", "check", "--no-cache", "--output-format", "json", "--stdin-filename"]
    checked = subprocess.run(
        [sys.executable, *command, f"{package}/example.py", "-"],
        input="\n".join(lines),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = {(lines[problem["location"]["row"] - 1], problem["code"]) for problem in json.loads(checked.stdout)}
    assert set(DANGEROUS.items()) <= found
    assert not {line for line, code in found if code.startswith(("S", "TID"))} & set(HARMLESS)
