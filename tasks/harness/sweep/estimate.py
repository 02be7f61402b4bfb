"""Estimate how long a sweep will take, from a short measurement on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tasks.harness.contract import State
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task
from tasks.harness.sweep.sweep import Job

FEW = 5
WORKER_START = 5.0
"""Seconds until a worker has imported torch."""


@dataclass(frozen=True)
class Cost:
    """The cost of one run, in seconds."""

    start: float
    """Until training begins: imports, data, networks and the evaluation before the first step."""
    step: float
    evaluation: float


def estimate(jobs: Sequence[Job], workers: int) -> float:
    """Roughly the seconds that the jobs will take. One job of each task is measured and represents the others.

    A half-done job counts in full. A task that cannot be measured, because its data are missing, counts as 0; the
    sweep will report the error.
    """
    lengths = []
    for name in dict.fromkeys(job.task for job in jobs):
        of_task = [job for job in jobs if job.task == name]
        measured = max(of_task, key=lambda job: job.model_steps)
        try:
            cost = measure(measured)
        except UserError:
            continue
        for job in of_task:
            config, share = job.config, job.config.seeds / measured.config.seeds
            lengths.append(cost.start + share * (config.steps * cost.step + config.num_evaluations * cost.evaluation))
    return max(sum(lengths) / workers, max(lengths, default=0.0)) + WORKER_START if lengths else 0.0


def measure(job: Job) -> Cost:
    """Measure a job: train a few steps and then more, on one thread like a worker."""
    import torch

    task, threads = load_task(job.task), torch.get_num_threads()

    def seconds(steps: int, state: State | None = None) -> tuple[float, State]:
        """Seconds until the first evaluation; without ``state``, this is the one before training."""
        begun = time.monotonic()
        # One step more than is run, because some tasks evaluate more after the last step.
        snapshot = next(task.train(replace(job.config, steps=steps + 1, eval_every=steps), state))
        return time.monotonic() - begun, snapshot.state

    torch.set_num_threads(1)
    try:
        start, state = seconds(FEW)
        few, _ = seconds(FEW, state)
        more = min(max(int(0.5 * FEW / max(few, 1e-9)), 4 * FEW), 100 * FEW)
        many, _ = seconds(more, state)
    finally:
        torch.set_num_threads(threads)
    step = min(max((many - few) / (more - FEW), 0.0), few / FEW)
    return Cost(start, step, few - FEW * step)


def format_duration(seconds: float) -> str:
    """A duration in one unit."""
    if seconds < 100:
        return f"{max(round(seconds, -1), 10):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 100 * 60 else f"{seconds / 3600:.1f} hours"
