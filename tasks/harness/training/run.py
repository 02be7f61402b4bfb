"""One run: a directory, a training generator, and the recorder that consumes it."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tasks.harness import config as harness
from tasks.harness.cells import is_own, load_own
from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, State, Task, Train
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, METRICS, SEED_SUMMARY, SUMMARY, checksums, read_json, write_columns, write_json
from tasks.harness.finished_run import FinishedRun
from tasks.harness.record import Record
from tasks.harness.rundir import checkpoint, provenance
from tasks.harness.rundir.checkpoint import Checkpoint, Checkpointer
from tasks.harness.rundir.directory import check_place, check_same, prepare, why_incomplete
from tasks.harness.rundir.lock import locked
from tasks.harness.summary import per_seed, summarize
from tasks.harness.terminal.sanitize import sanitize
from tasks.harness.training.chunks import in_seed_chunks
from tasks.harness.training.processes import Processes
from tasks.harness.training.signals import DeferredSignals, silence_writer_threads

OnSnapshot = Callable[[Snapshot], None]


def run(
    task: Task,
    config: Config,
    directory: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    seed_chunk: int | None = None,
    processes: int = 1,
    threads: int | None = None,
    on_snapshot: OnSnapshot = lambda snapshot: None,
) -> FinishedRun:
    """Train with the options ``config`` and write the record to ``directory``.

    Args:
        resume: continue the run in ``directory`` from its newest checkpoint; a complete run is left unchanged.
        overwrite: delete the run in ``directory`` first.
        seed_chunk: the number of seeds trained together, by default the task's; see ``training.chunks``.
        processes: the number of processes that train seeds at the same time.
        threads: torch's threads in each process; by default those the run was started with, or else the task's.
        on_snapshot: called after each evaluated step is recorded.

    Raises:
        UserError: when the content of ``directory`` does not match the arguments, or files cannot be written.
    """
    if resume and not overwrite:
        damage = why_incomplete(directory)
        if damage is None:
            check_same(task, config, directory)
            checkpoint.report_damage(directory)
            return FinishedRun.load(directory)
        if (directory / SUMMARY).exists():
            print(sanitize(f"{damage}; making the results again"), file=sys.stderr)
    check_place(directory, resume=resume)
    device = config.torch_device()  # checked before anything is deleted, because it may be missing
    config = replace(config, generator=config.data_generator)
    if config.unit_name is not None and is_own(config.unit_name):
        load_own(config.unit_name)  # an error now leaves no half-done run
    if config.device == "auto" and harness.has_gpu():
        print(_chosen_device(config, device), file=sys.stderr)
    threads = _threads(task, directory, threads, resume=resume)
    surroundings = provenance.describe(device) | {"processes": processes, "threads": threads}
    if seed_chunk is None and device.type == "cpu":
        seed_chunk = task.seed_chunk
    try:
        with (
            DeferredSignals() as signals,
            silence_writer_threads(),
            locked(directory),
            Processes(processes, threads) as several,
        ):
            newest = prepare(task, config, directory, resume=resume, overwrite=overwrite)
            train = in_seed_chunks(partial(_on_device, task.train, device.type), seed_chunk, several)
            _train(
                replace(task, train=train),
                config,
                directory,
                newest,
                surroundings,
                signals,
                on_snapshot,
            )
            return FinishedRun.load(directory)
    except OSError as error:
        what = f"cannot read or write {error.filename or directory}: {error.strerror or error}"
        kept = "; the record so far is kept; continue with --resume" if (directory / CONFIG).exists() else ""
        raise UserError(what + kept) from error


def _on_device(train: Train, device: str, config: Any, state: State | None = None) -> Iterator[Snapshot]:
    """Train on this device, whatever ``auto`` would choose for a part of the seeds."""
    return train(replace(config, device=device), state)


def _chosen_device(config: Config, device: torch.device) -> str:
    """One line that says which device ``--device auto`` took, and why."""
    if device.type == "cuda":
        return f"training on the GPU: measured to be faster from {config.GPU_SEEDS} seeds on (--device cpu for the CPU)"
    if config.GPU_SEEDS is None:
        return "training on the CPU: this task was not measured to be faster on a GPU (--device cuda to use the GPU)"
    return f"training on the CPU: a GPU is faster from {config.GPU_SEEDS} seeds on (--device cuda to use the GPU)"


def _threads(task: Task, directory: Path, threads: int | None, *, resume: bool) -> int:
    """The number of threads; a resumed run keeps its number, or reports the change."""
    before = read_json(directory / CONFIG).get("threads") if resume else None
    if not isinstance(before, int) or before < 1:
        return threads or min(task.threads, torch.get_num_threads())
    if threads not in (None, before):
        was = "1 thread" if before == 1 else f"{before} threads"
        print(
            f"the run was started with {was}; with {threads}, the last bits of its results may differ", file=sys.stderr
        )
    return threads or before


def _train(
    task: Task,
    config: Config,
    directory: Path,
    newest: Checkpoint | None,
    surroundings: dict[str, Any],
    signals: DeferredSignals,
    on_snapshot: OnSnapshot,
) -> None:
    from tasks.harness.rundir.recorder import Recorder  # imports TensorBoard, which takes a second

    if newest is None:
        description = {"task": task.name, "config": config.to_dict(), "seeds": list(config.seed_range), **surroundings}
        seconds = _Stopwatch(0.0)
    else:
        description = read_json(directory / CONFIG)
        description["resumed"] = [*description.get("resumed", []), {"step": newest.step, **surroundings}]
        seconds = _Stopwatch(newest.wall_seconds)

    def save_status(status: str, error: str | None = None) -> None:
        changed = {"status": status, "error": error, "wall_seconds": round(seconds(), 3)}
        write_json(directory / CONFIG, {**description, **changed})

    save_status("running")
    checkpointer = Checkpointer(directory)
    try:
        with Recorder(directory, task, config, newest.step if newest else None) as recorder:
            for snapshot in task.train(config, newest.state if newest else None):
                with signals.deferred():
                    recorder.write(snapshot)
                    # The state before the first step is not saved, because the seeds determine it.
                    if snapshot.step > 0 and (checkpointer.due() or snapshot.step == config.steps):
                        recorder.sync()
                        checkpointer.save(Checkpoint(snapshot.step, seconds(), snapshot.state, config.to_dict()))
                    on_snapshot(snapshot)
            record = Record.load(directory / METRICS)
            score = task.score(config, record)
            summary = summarize(task, config, record, score, seconds())
            with signals.deferred():
                recorder.finish(_flat(summary))
        write_columns(directory / SEED_SUMMARY, per_seed(record, score))
        save_status("complete")
        results = checksums(directory, [SEED_SUMMARY, METRICS, *task.files])
        write_json(directory / SUMMARY, {**summary, "sha256": results})
    except BaseException as error:
        with suppress(OSError):  # a full disk has no room for the status, and the error itself reports it
            if isinstance(error, KeyboardInterrupt):
                save_status("interrupted")
            else:
                save_status("failed", f"{type(error).__name__}: {error}")
        raise


def _flat(summary: dict[str, Any]) -> dict[str, float]:
    medians = {name: value["median"] for name, value in summary["metrics"].items()}
    rates = {name: value["rate"] for name, value in summary["rates"].items()}
    return {name: math.nan if value is None else value for name, value in {**medians, **rates}.items()}


class _Stopwatch:
    """Seconds of work, including those of earlier sessions."""

    def __init__(self, before: float) -> None:
        self._start = time.monotonic() - before

    def __call__(self) -> float:
        return time.monotonic() - self._start
