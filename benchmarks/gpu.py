"""The candidates of a task on a GPU: our training, the baseline, the memory traffic, and ours on one CPU core."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.candidate import BASELINE, FLOOR, OURS, Candidate, TimedWork, repeated, task_of, training
from benchmarks.measurement import Measurement, faster_than
from tasks.harness.config import Config

ON_CPU = f"{OURS}, one CPU core"


def on_gpu(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """The candidates on a GPU that correspond to those of a task on a CPU, without other libraries.

    They must be iterated with the GPU as torch's default device, so that baselines are made there.
    """
    for candidate in candidates:
        if candidate.config is not None and candidate.units is not None and candidate.name == OURS:
            yield replace(candidate, work=training(candidate.config, candidate.units, device="cuda"), targets=())
            yield replace(candidate, name=ON_CPU, targets=())
            copy = repeated(MemoryTraffic(candidate.config), candidate.models)
            yield Candidate(candidate.setting, FLOOR, candidate.models, finished(copy), candidate.unit)
        elif candidate.name == BASELINE:
            yield replace(candidate, work=finished(candidate.work))


def finished(work: TimedWork) -> TimedWork:
    """The work, with the GPU as torch's default device, until the GPU has done it."""

    def until_done(seconds: float) -> tuple[float, float]:
        torch.cuda.synchronize()
        started = time.perf_counter()
        with torch.device("cuda"):
            _, units = work(seconds)
        torch.cuda.synchronize()
        return time.perf_counter() - started, units

    return until_done


class MemoryTraffic:
    """Reads and writes as many bytes as the parameters and the state of the optimiser have: each step must, at least.

    Random numbers and activations are not counted, because a kernel could keep them in registers.
    """

    def __init__(self, config: Config) -> None:
        started = next(task_of(config).train(replace(config, steps=2, device="cuda")))
        sizes = map(_bytes, (started.state["model"], started.state["optimizer"]))
        parameters, moments = sizes
        # Before the first step the optimiser has no moments; Adam has two for each parameter.
        self.size = parameters + max(moments, 2 * parameters)
        self._read, self._written = torch.empty(2, self.size, dtype=torch.uint8, device="cuda")

    def __call__(self) -> None:
        self._written.copy_(self._read)


def _bytes(state: object) -> int:
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, dict):
        return sum(map(_bytes, state.values()))
    return sum(map(_bytes, state)) if isinstance(state, list | tuple) else 0


def faster_from(found: Sequence[Measurement]) -> dict[str, int | None]:
    """For each task, the number of seeds from which on the GPU was faster than one CPU core in all settings; or None.

    It is what ``Config.GPU_SEEDS`` of the task should be. Seeds are counted as models.
    """
    result: dict[str, int | None] = {}
    for task in dict.fromkeys(one.task for one in found):
        ratios = [
            (one.models, ratio)
            for one in found
            if one.task == task and one.name == OURS and (ratio := faster_than(one, ON_CPU, found)) is not None
        ]
        enough = {models for models, _ in ratios}
        enough = {count for count in enough if all(ratio > 1 for models, ratio in ratios if models >= count)}
        result[task] = min(enough, default=None)
    return result
