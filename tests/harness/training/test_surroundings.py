"""The record of a run does not depend on its surroundings: options of Python, locale, time zone, home directory."""

import sys
from pathlib import Path

import matplotlib
import pytest

from tasks.harness.files import METRICS, SEED_SUMMARY
from tests.helpers import call

COMMAND = [
    "-m",
    "tasks.static_arithmetic",
    "--cell",
    "gated-nau-nmu",
    "--seeds",
    "2",
    "--steps",
    "6",
    "--eval-every",
    "3",
]
OPTIONS = ["--eval-size", "50", "--out"]


@pytest.mark.slow  # with -O, Python compiles all of torch anew
def test_records_are_bit_equal_in_odd_surroundings(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    odd = {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "HOME": str(home), "LC_ALL": "C", "LANG": "tr_TR.UTF-8"}
    odd["XDG_CACHE_HOME"] = odd["XDG_CONFIG_HOME"] = str(home)
    odd["MPLCONFIGDIR"] = matplotlib.get_cachedir()  # without its cache, matplotlib reads all fonts for 20 seconds
    plain = call([sys.executable, *COMMAND, *OPTIONS, "plain"], tmp_path, PYTHONHASHSEED="0")
    other = call([sys.executable, "-O", *COMMAND, *OPTIONS, "other"], tmp_path, **odd)
    assert (plain.returncode, other.returncode) == (0, 0), plain.stderr + other.stderr
    for name in (METRICS, SEED_SUMMARY):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
