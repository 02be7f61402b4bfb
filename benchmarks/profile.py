"""Where the time of our training goes: ``python -m benchmarks.profile static_arithmetic --seeds 100``.

One row for each setting, in microseconds for its unit of work: the whole without profiler, and its division by torch's.
Profiling adds to short operations, so that the parts are scaled to the whole. What is inside of compiled loops cannot
be told apart: logarithms, exponentials and everything else that is elementwise.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.candidate import OURS, Candidate, Clock, as_in_long_runs, timed
from benchmarks.machine import limit_threads
from benchmarks.measurement import tasks
from nalu import Adam
from tasks.harness.cli.main import guarded
from tasks.harness.cli.parsing import parse
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task
from tasks.harness.rundir.recorder import Recorder
from tasks.harness.streams import UniformStream
from tasks.harness.tables import Table
from tasks.harness.terminal.show import show

RANDOM, OPTIMISER, DISPATCH, OTHER = "random numbers", "optimiser", "dispatch", "other arithmetic"
PARTS = {
    RANDOM: f"^{RANDOM}$",
    "products": r"^aten::(bmm|mm|addmm|baddbmm|convolution\w*|_convolution|mkldnn_\w+|linear|dot|\w*conv2d\w*)$",
    "log, exp, tanh": r"^aten::(log|exp|tanh|sigmoid|log_sigmoid|sqrt)(_?|_forward|_backward)$",
    "compiled loops": r"^## Call Compiled",
    OPTIMISER: rf"^({OPTIMISER}$|Optimizer\.)",
    OTHER: r"^aten::(?!(view|transpose|as_strided|empty|expand|reshape|matmul|detach|t$|to$|unbind|select|slice|"
    r"squeeze|unsqueeze|permute|resolve|lift|_local_scalar|item|result_type|flatten|unflatten|split|chunk|narrow))",
    DISPATCH: "",
}
"""Which operations, by their names in the profile; the first that fits."""
INCLUSIVE = (RANDOM, OPTIMISER)
"""Parts to which all belongs that happens within them."""
TICKS = 3


@dataclass(frozen=True)
class Options:
    """What to profile."""

    task: tyro.conf.Positional[str]
    """The task."""
    seeds: int = 100
    """Seeds that are trained at once."""
    seconds: float = 0.5
    """Of training under the profiler, and before without it."""


def run(options: Options) -> None:
    """Profile and print the table."""
    if options.task not in tasks():
        raise UserError(f"the task must be one of {', '.join(tasks())}, got {options.task!r}")
    if options.seeds < 1 or not 0 <= options.seconds < float("inf"):
        raise UserError("--seeds must be above 0 and --seconds not negative")
    limit_threads(1)
    as_in_long_runs()
    rows = []
    for candidate in import_module(f"benchmarks.tasks.{options.task}").candidates((options.seeds,)):
        if candidate.name == OURS and candidate.models >= options.seeds:
            whole, parts = divided(candidate, options.seconds)
            cells = [f"{whole:.3g}", *(f"{value:.3g} ({100 * value / whole:.0f} %)" for value in parts.values())]
            rows.append([candidate.setting, str(candidate.models), candidate.unit, *cells])
    times = ", ".join(f"{name} {value:.3g} ms" for name, value in tick(options.task).items())
    note = f"Not in the table, of each evaluated step, in the quick profile's first setting: {times}."
    show(Table(f"{options.task}, microseconds, 1 thread", ["what", "models", "per", "whole", *PARTS], rows, [note]))


def divided(candidate: Candidate, seconds: float) -> tuple[float, dict[str, float]]:
    """Microseconds for a unit of work, and those of its parts."""
    candidate.work(seconds)  # warms up, and compiles
    elapsed, units = candidate.work(seconds)
    with _ranges(), profile(activities=[ProfilerActivity.CPU]) as profiled:
        slower, _ = candidate.work(seconds)
    parts = dict.fromkeys(PARTS, 0.0)
    for event in profiled.events():
        parts[part_of(event)] += event.self_cpu_time_total
    parts[DISPATCH] += max(1e6 * slower - sum(parts.values()), 0.0)  # Python between the operations
    whole, total = 1e6 * elapsed / units, sum(parts.values())
    return whole, {name: whole * value / total for name, value in parts.items()}


def part_of(event: Any) -> str:
    """Of an event of the profile: that of an inclusive ancestor, else its own."""
    ancestor = event
    while ancestor is not None:
        for name in INCLUSIVE:
            if re.search(PARTS[name], ancestor.name):
                return name
        ancestor = ancestor.cpu_parent
    return next(name for name, pattern in PARTS.items() if re.search(pattern, event.name))


def tick(name: str) -> dict[str, float]:
    """Milliseconds of an evaluation and of recording it, medians, in the first setting of the quick profile."""
    task, clock = load_task(name), Clock()
    config = timed(clock, replace(task.sweep["quick"][0], eval_every=1))
    times: dict[str, list[float]] = {"evaluation": [], "recording": []}
    with tempfile.TemporaryDirectory() as directory, Recorder(Path(directory), task, config) as recorder:
        training = task.train(config)
        next(training)
        for _ in range(TICKS):
            clock.start(0.0)  # one step
            snapshot = next(training)
            evaluated = time.perf_counter()
            recorder.write(snapshot)
            times["evaluation"].append(1e3 * (evaluated - clock.stopped))
            times["recording"].append(1e3 * (time.perf_counter() - evaluated))
    return {part: float(np.median(values)) for part, values in times.items()}


@contextmanager
def _ranges() -> Iterator[None]:
    """Name in the profile what torch does not: the work of numpy, and our optimiser."""
    with _named(RANDOM, UniformStream, "batch"), _named(OPTIMISER, Adam, "step"):
        yield


@contextmanager
def _named(name: str, owner: type, method: str) -> Iterator[None]:
    """A block in which the calls of a method have a range of their own in the profile."""
    original: Callable[..., Any] = getattr(owner, method)

    def call(*arguments: Any) -> Any:
        with record_function(name):
            return original(*arguments)

    setattr(owner, method, call)
    try:
        yield
    finally:
        setattr(owner, method, original)


if __name__ == "__main__":
    guarded(lambda: run(parse(Options, sys.argv[1:], "python -m benchmarks.profile", __doc__ or "")))
