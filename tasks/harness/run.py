"""One run: a directory, a training generator, and the recorder that consumes it."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from tasks.harness import checkpoint, statistics
from tasks.harness.checkpoint import Checkpoint, Checkpointer
from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, Task
from tasks.harness.errors import UserError
from tasks.harness.record import (
    CONFIG,
    METRICS,
    SEED_SUMMARY,
    SUMMARY,
    Record,
    Run,
    read_json,
    write_json,
    write_text,
)

OnTick = Callable[[Snapshot], None]


def run(
    task: Task,
    config: Config,
    directory: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    on_tick: OnTick = lambda snapshot: None,
) -> Run:
    """Train as ``config`` says and leave the record in ``directory``.

    Args:
        resume: go on with the run in ``directory`` from its newest checkpoint; a complete one is left as it is.
        overwrite: delete the run in ``directory`` first.
        on_tick: called at every evaluated step, after it was recorded.

    Raises:
        UserError: when ``directory`` holds something else than what the arguments say, or cannot be written.
    """
    from tasks.harness.recorder import Recorder  # imports TensorBoard, which takes a second

    device = config.torch_device()
    start = _prepare(task, config, directory, resume=resume, overwrite=overwrite)
    if start is None:
        return Run.load(directory)
    seconds = _Stopwatch(start.wall_seconds)
    description = _describe(task, config, device)

    def save_status(status: str, **more: str) -> None:
        write_json(directory / CONFIG, {**description, "status": status, "wall_seconds": seconds(), **more})

    save_status("running")
    checkpointer = Checkpointer(directory)
    resumed_at = start.step if start.state else None
    try:
        with Recorder(directory, task, config, resumed_at) as recorder:
            for snapshot in task.train(config, start.state or None):
                recorder.write(snapshot)
                if checkpointer.due() or snapshot.step == config.steps:
                    recorder.sync()
                    checkpointer.save(Checkpoint(snapshot.step, seconds(), snapshot.state))
                on_tick(snapshot)
            summary = summarize(task, config, Record.load(directory / METRICS), seconds())
            recorder.finish(_flat(summary))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            save_status("interrupted")
        else:
            save_status("failed", error=f"{type(error).__name__}: {error}")
        raise
    write_text(directory / SEED_SUMMARY, _per_seed(task, config, Record.load(directory / METRICS)))
    write_json(directory / SUMMARY, summary)
    save_status("complete")
    return Run.load(directory)


def default_directory(task: Task, config: Config, root: Path = Path("runs")) -> Path:
    """Where a run goes by default: ``<root>/<task>/<label>-<hash of the options>``."""
    options = json.dumps(config.to_dict(), sort_keys=True)
    return root / task.name / f"{config.label()}-{hashlib.sha256(options.encode()).hexdigest()[:8]}"


def summarize(task: Task, config: Config, record: Record, wall_seconds: float) -> dict[str, Any]:
    """summary.json: the statistics over seeds of what ``task.score`` makes of the record."""
    score = task.score(config, record)
    model_steps = config.seeds * int(record.steps[-1])
    return {
        "task": task.name,
        "config": config.to_dict(),
        "seeds": config.seeds,
        "steps": int(record.steps[-1]),
        "wall_seconds": round(wall_seconds, 3),
        "model_steps_per_second": round(model_steps / wall_seconds, 1),
        "metrics": {name: statistics.describe(values) for name, values in score.values.items()},
        "rates": {name: statistics.rate(outcome) for name, outcome in score.outcomes.items()},
    }


def _per_seed(task: Task, config: Config, record: Record) -> str:
    """summary.csv: the same results, one row a seed."""
    score = task.score(config, record)
    columns = {**score.values, **{name: outcome.astype(int) for name, outcome in score.outcomes.items()}}
    rows = zip(record.seeds, *columns.values(), strict=True)
    return "\n".join([",".join(["seed", *columns]), *(",".join(str(cell) for cell in row) for row in rows)]) + "\n"


def _flat(summary: dict[str, Any]) -> dict[str, float]:
    medians = {name: value["median"] for name, value in summary["metrics"].items()}
    rates = {name: value["rate"] for name, value in summary["rates"].items()}
    return {name: math.nan if value is None else value for name, value in {**medians, **rates}.items()}


def _prepare(task: Task, config: Config, directory: Path, *, resume: bool, overwrite: bool) -> Checkpoint | None:
    """Make the directory ready and say from where to go on; None when nothing is left to do."""
    beginning = Checkpoint(step=0, wall_seconds=0.0, state={})
    if directory.exists() and not directory.is_dir():
        raise UserError(f"--out must be a directory, and {directory} is a file")
    if (directory / CONFIG).exists():
        if overwrite:
            _delete_run(directory)
        elif not resume:
            raise UserError(f"{directory} already holds a run; use --resume, --overwrite or another --out")
        else:
            _check_same(task, config, directory)
            if (directory / SUMMARY).exists():
                return None
            return checkpoint.newest(directory) or beginning
    elif directory.exists() and any(directory.iterdir()):
        raise UserError(f"{directory} holds other files than a run's; use another --out")
    elif resume:
        raise UserError(f"--resume needs a run to go on with, and {directory} holds none")
    directory.mkdir(parents=True, exist_ok=True)
    return beginning


def _check_same(task: Task, config: Config, directory: Path) -> None:
    stored = read_json(directory / CONFIG)
    if stored.get("task") != task.name:
        raise UserError(f"{directory} holds a run of {stored.get('task')}, not of {task.name}")
    for name, value in config.to_dict().items():
        before = stored.get("config", {}).get(name)
        if before != value:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{directory} was begun with {option} {before}, and cannot go on with {option} {value}")


def _delete_run(directory: Path) -> None:
    """Delete what a run writes, and nothing else."""
    known = [CONFIG, METRICS, SUMMARY, SEED_SUMMARY, checkpoint.NAME, checkpoint.SPARE]
    for path in [*(directory / name for name in known), *directory.glob("events.out.tfevents.*")]:
        path.unlink(missing_ok=True)


def _describe(task: Task, config: Config, device: torch.device) -> dict[str, Any]:
    packages = ("torch", "numpy", "scipy", "nalu-suite")
    return {
        "task": task.name,
        "config": config.to_dict(),
        "seeds": list(config.seed_range),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})",
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the source tree, with ``-dirty`` when tracked files differ; None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


class _Stopwatch:
    """Seconds of work, counted on from an earlier session's."""

    def __init__(self, before: float) -> None:
        self._start = time.monotonic() - before

    def __call__(self) -> float:
        return time.monotonic() - self._start
