"""What several test files use: the units under test, commands as users type them, directories compared."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from nalu import NALU
from nalu.units import UNITS as CATALOGUE

ROOT = Path(__file__).parents[1]
"""The checkout."""

UNITS: dict[str, Callable[..., nn.Module]] = {
    **{unit.build.__name__: unit.build for unit in CATALOGUE.values()},
    "NALU-separate": partial(NALU, separate_weights=True),
    "NALU-biased-gate": partial(NALU, gate_bias=1.0),
    "NALU-constant-gate": partial(NALU, input_gate=False),
}
"""The arithmetic units by class name, with the options that change their mathematics."""


def call(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, in a directory, on one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120)


def heed_interrupts() -> None:
    """Ctrl-C reaches a command even if the tests themselves run in the background, where shells ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def without_times(summary: Path) -> dict[str, object]:
    """summary.json, but for what the clock has measured."""
    timed = ("wall_seconds", "model_steps_per_second")
    return {name: value for name, value in json.loads(summary.read_text()).items() if name not in timed}


def files(root: Path) -> dict[str, bytes]:
    """All files below a directory, by their paths in it."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def inverse_tanh(W: torch.Tensor) -> torch.Tensor:
    """The parameters that give these weights by tanh, also for weights of -1 and 1."""
    return torch.atanh(W.clamp(-1 + 1e-15, 1 - 1e-15))
