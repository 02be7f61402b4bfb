"""Helpers that several test files share: the units under test, commands, records, pages."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nalu import NALU
from nalu.units import UNITS as CATALOGUE
from tasks.arithmetic.problem import Subsets
from tasks.arithmetic.subset_sums import SubsetSums
from tasks.harness.conformance import copied_metrics as copied_metrics
from tasks.harness.files import CONFIG, METRICS_SHA256, SUMMARY
from tasks.harness.finished_run import FinishedRun
from tasks.harness.metrics import in_vocabulary as in_vocabulary
from tasks.harness.record import Record
from tasks.harness.registry import load_task
from tasks.harness.rundir.directory import default_directory
from tasks.harness.sweep.sweep import Job

SUBSETS = Subsets(inputs=100, size=25, overlap=12)
"""The subsets of the protocol (paper, section 4.1)."""

ROOT = Path(__file__).parents[1]
"""The checkout."""

UNITS: dict[str, Callable[..., nn.Module]] = {
    **{unit.build.__name__: unit.build for unit in CATALOGUE.values()},
    "NALU-separate": partial(NALU, separate_weights=True),
    "NALU-biased-gate": partial(NALU, gate_bias=1.0),
    "NALU-constant-gate": partial(NALU, input_gate=False),
}
"""The arithmetic units by class name, and the NALU with each option that changes its mathematics."""


def inverse_tanh(W: torch.Tensor) -> torch.Tensor:
    """The parameters whose tanh is ``W``; weights of exactly -1 and 1 get large finite parameters."""
    return torch.atanh(W.clamp(-1 + 1e-15, 1 - 1e-15))


def call(command: list[str], directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory, as a user would, on one thread and with further environment variables."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120)


def heed_interrupts() -> None:
    """Let Ctrl-C reach a command: a shell that runs the tests in the background makes their children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(condition: Callable[[], object], seconds: float = 100) -> None:
    """Return when the condition holds; fail when it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} seconds"
        time.sleep(0.05)


def arithmetic_jobs(root: Path) -> list[Job]:
    """Three short runs of one task, as a sweep plans them."""
    task = load_task("static_arithmetic")
    configs = [replace(task.smoke, op=op) for op in ("add", "sub", "mul")]
    return [Job(task.name, config, default_directory(task, config, root)) for config in configs]


def files(root: Path) -> dict[str, bytes]:
    """The content of every file below a directory, by its relative path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def change_json(path: Path, **values: object) -> None:
    """Replace members of the JSON object in a file, as somebody who leaves out its checksum."""
    path.write_text(json.dumps({**_without_checksums(path), **values}))


def forget_checksums(directory: Path) -> None:
    """Take the checksums out of a run, as older runs and those of strangers have none."""
    (directory / METRICS_SHA256).unlink(missing_ok=True)
    for name in (CONFIG, SUMMARY):
        if (directory / name).exists():
            (directory / name).write_text(json.dumps(_without_checksums(directory / name)))


def _without_checksums(path: Path) -> dict[str, object]:
    return {key: value for key, value in json.loads(path.read_text()).items() if key not in ("checksum", "sha256")}


def without_times(summary: Path) -> dict[str, object]:
    """summary.json without the members that a clock measures."""
    timed = ("wall_seconds", "model_steps_per_second", "checksum")
    return {name: value for name, value in json.loads(summary.read_text()).items() if name not in timed}


def assert_same_record(
    one: FinishedRun | Record, other: FinishedRun | Record, rtol: float = 0, atol: float = 0
) -> None:
    """Check that two runs recorded the same steps, seeds and metrics; the tolerances are for the metrics."""
    ours, theirs = (run if isinstance(run, Record) else run.record() for run in (one, other))
    assert ours.steps.tolist() == theirs.steps.tolist()
    assert ours.seeds.tolist() == theirs.seeds.tolist()
    assert list(ours.metrics) == list(theirs.metrics)
    for name, values in ours.metrics.items():
        np.testing.assert_allclose(values, theirs[name], rtol=rtol, atol=atol, err_msg=name)


class Page(HTMLParser):
    """A parsed page: its tags with their attributes, and its visible text. Unbalanced tags are an error."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})
    """Tags without an end tag."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self._words.append(data)

    def all(self, attribute: str) -> list[str]:
        """The values of an attribute, of whatever tags."""
        return [value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]

    @property
    def text(self) -> str:
        """The visible text, with single spaces."""
        return " ".join(" ".join(self._words).split())


def subset_sums(op: str = "add", seeds: range = range(3), **options: object) -> SubsetSums:
    """A small data set of the subsets of the protocol."""
    defaults = {
        "interpolation_range": (1.0, 2.0),
        "extrapolation_range": (2.0, 6.0),
        "batch_size": 16,
        "eval_size": 50,
        "device": torch.device("cpu"),
    }
    return SubsetSums(op, SUBSETS, seeds, **{**defaults, **options})
