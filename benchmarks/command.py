"""The command line: measure, print one table, write JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.candidate import BASELINE, FLOOR, Device, as_in_long_runs
from benchmarks.gpu import ON_CPU, faster_from
from benchmarks.machine import cores, limit_threads, machine
from benchmarks.measurement import Measurement, as_json, faster_than, measure, tasks, verdicts
from tasks.harness.cli.main import guarded
from tasks.harness.cli.parsing import parse
from tasks.harness.config import has_gpu
from tasks.harness.errors import UserError
from tasks.harness.files import write_text
from tasks.harness.tables import Table, markdown
from tasks.harness.terminal.show import show
from tasks.harness.training.signals import ignore_interrupts

NOISY = 0.1
"""An interquartile range above this part of the median is marked."""
COMPARISONS = {"jax": "JAX on single_module", "sb3_contrib": "stable-baselines3 on gridworld_time"}
"""Optional packages, and what they are measured as."""
HEADER = ("task", "what", "models", "threads", "µs", "per", "x baseline", "x floor", "targets", "noise")


@dataclass(frozen=True)
class Options:
    """What to measure and how long."""

    tasks: tuple[str, ...] = tasks()
    """The tasks."""
    seeds: tuple[int, ...] = (1, 25, 100)
    """Numbers of seeds that are trained at once."""
    threads: tuple[int, ...] = (1,)
    """Numbers of processors; everything is measured anew for each."""
    seconds: float = 60.0
    """For each task and number of processors, about, and without the seconds of building and compiling."""
    repetitions: int = 7
    """Measurements of each time, of which the median counts."""
    device: Device = "cpu"
    """cuda: on the GPU, beside one CPU core; then --seeds 100 1000 6600 says more."""
    json: Path | None = None
    """A file to write all of it to, after each task."""
    markdown: Path | None = None
    """A file to write the table to."""

    def check(self) -> None:
        """Raise a UserError for what cannot be measured."""
        unknown = [name for name in self.tasks if name not in tasks()]
        if unknown or not self.tasks:
            raise UserError(f"--tasks must be among {', '.join(tasks())}, got {', '.join(unknown) or 'none'}")
        if not self.threads or not all(1 <= count <= cores() for count in self.threads):
            raise UserError(f"--threads must lie in 1..{cores()} on this machine, got {_list(self.threads)}")
        if self.device == "cuda" and not has_gpu():
            raise UserError("--device cuda needs a GPU that torch can use, but there is none")
        if not self.seeds or min(self.seeds) < 1:
            raise UserError(f"--seeds must be above 0, got {_list(self.seeds)}")
        if self.repetitions < 1 or not 0 <= self.seconds < float("inf"):
            raise UserError(
                f"--repetitions must be above 0 and --seconds not negative, got {self.repetitions} and {self.seconds}"
            )
        for name, path in (("json", self.json), ("markdown", self.markdown)):
            if path is not None and not path.parent.is_dir():
                raise UserError(f"--{name} must be a file in a directory that exists, got {path}")


def main() -> NoReturn:
    """Run the benchmarks of the tasks that the options name, and exit."""
    about = "Speed beside a baseline, a floor and other libraries."
    guarded(lambda: run(parse(Options, sys.argv[1:], "python -m benchmarks", about)))


def run(options: Options) -> None:
    """Measure, print the table, write the file; when interrupted, print what there is and exit."""
    options.check()
    where = machine()
    found: list[Measurement] = []
    try:
        for threads in options.threads:
            for measurements in _by_task(options, threads):
                found += measurements
                if options.json is not None:
                    write_text(options.json, json.dumps(document(options, where, found), indent=1) + "\n")
                if options.markdown is not None:
                    write_text(options.markdown, markdown(table(where, found)))
    except KeyboardInterrupt:
        show(table(where, found))
        sys.exit(130)
    show(table(where, found))


def _by_task(options: Options, threads: int) -> Iterator[list[Measurement]]:
    # A process of its own: how many threads there are is settled when they are first used, or compiled for.
    with ProcessPoolExecutor(1, get_context("spawn"), _begin, (threads,)) as process:
        try:
            for task in options.tasks:
                print(f"{task}, {threads} thread(s) ...", file=sys.stderr)
                arguments = (task, options.seeds, options.seconds, options.repetitions, options.device)
                yield process.submit(measure, *arguments).result()
        except KeyboardInterrupt:
            for child in active_children():  # the executor would wait for the end of the measurement
                child.terminate()
            raise


def _begin(threads: int) -> None:
    """Start the measuring process."""
    ignore_interrupts()  # the parent is interrupted, too, and ends this process
    limit_threads(threads)
    as_in_long_runs()


def document(options: Options, where: dict[str, Any], found: Sequence[Measurement]) -> dict[str, Any]:
    """What the JSON file holds."""
    asked = {name: value for name, value in asdict(options).items() if name not in ("json", "markdown")}
    return {"machine": where, "options": asked, "measurements": [as_json(one, found) for one in found]}


def table(where: dict[str, Any], found: Sequence[Measurement]) -> Table:
    """One row a measurement."""
    rows = []
    for one in found:
        baseline, floor = faster_than(one, BASELINE, found), faster_than(one, FLOOR, found)
        rows.append(
            [
                one.task,
                f"{one.setting}: {one.name}",
                str(one.models),
                str(one.threads),
                f"{one.median:.4g}",
                one.unit,
                "" if baseline is None else f"{baseline:.3g}",
                "" if floor is None else f"{1 / floor:.3g}",
                "\n".join(
                    f"≥ {verdict.target.least:g}x {verdict.target.against}: {verdict.measured:.3g}, "
                    + ("met" if verdict.met else "missed")
                    for verdict in verdicts(one, found)
                ),
                f"{100 * one.noise:.0f} %" + (" !" if one.noise > NOISY else ""),
            ]
        )
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    noisy = sum(one.noise > NOISY for one in found)
    notes = [
        f"{where['processor']} ({where['vectors']}), {where['cores']} cores, "
        f"load average {where['load_average']:.2f} at the start; "
        f"{versions}; commit {where['git_commit']}; {where['date']}",
        "Medians. x baseline: times as fast as the baseline. x floor: times as long as the floor of as many models.",
        f"noise: interquartile range of the repetitions in % of the median; {noisy} of {len(found)} above "
        f"{100 * NOISY:.0f} %, marked by !",
        *(
            f"not measured: {what} ({package} is not installed)"
            for package, what in COMPARISONS.items()
            if not find_spec(package)
        ),
    ]
    if any(one.name == ON_CPU for one in found):
        faster = [f"{task}: {count or 'never'}" for task, count in faster_from(found).items()]
        notes.append(f"models from which on the GPU was faster than one CPU core: {', '.join(faster)}")
        notes.append("floor: the parameters and moments read and written once, by a copy on the GPU")
    return Table("Speed", HEADER, rows, notes)


def _list(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers)) or "none"
