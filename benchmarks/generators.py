"""``python -m benchmarks.generators``: the two random number generators of training data on one CPU core."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from benchmarks.candidate import as_in_long_runs
from nalu.training.scratch import scratch_folder
from tasks.harness.streams import uniform_stream
from tasks.harness.tables import Table, number
from tasks.harness.terminal.show import show

SEEDS, SHAPE = range(100), (128, 100)
"""Those of static arithmetic."""
REPETITIONS = 60


def main() -> None:
    """Measure both generators in turn, and print the table."""
    torch.set_num_threads(1)
    as_in_long_runs()
    sfc64, philox = (uniform_stream(name, SEEDS, SHAPE, device=torch.device("cpu")) for name in ("sfc64", "philox"))
    with scratch_folder():
        compiled = torch.compile(philox.uniform, fullgraph=True, dynamic=False)
        compiled(philox.draw(0))
    draws = {"sfc64": sfc64.draw, "philox, compiled": lambda step: compiled(philox.draw(step))}
    times = milliseconds(list(draws.values()))
    rows = [[name, number(time)] for name, time in zip(draws, times, strict=True)]
    count = len(SEEDS) * SHAPE[0] * SHAPE[1]
    show(Table(f"{count} uniform numbers", ("generator", "ms"), rows, (f"medians of {REPETITIONS}, in turn",)))


def milliseconds(draws: Sequence[Callable[[int], Tensor]]) -> list[float]:
    """The median time of each, measured in turn, so that a drift of the machine meets all of them."""
    times: list[list[float]] = [[] for _ in draws]
    for step in range(REPETITIONS):
        for draw, found in zip(draws, times, strict=True):
            started = time.perf_counter()
            draw(step)
            found.append(1000 * (time.perf_counter() - started))
    return list(map(median, times))


if __name__ == "__main__":
    main()
