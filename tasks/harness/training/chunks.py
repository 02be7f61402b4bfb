"""Seed chunks: train many seeds as smaller ensembles, to save memory, to fit the cache, or to use several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch

from tasks.harness.contract import Snapshot, State, Train
from tasks.harness.training.processes import Part, Processes


def sizes(seeds: int, most: int | None, processes: int = 1) -> list[int]:
    """Sizes of nearly equal chunks of at most ``most`` seeds (None: no limit), equally many for every process."""
    count = processes * -(-seeds // (processes * (most or seeds)))
    count = min(max(count, processes), seeds)
    return [seeds // count + (k < seeds % count) for k in range(count)]


def in_seed_chunks(train: Train, most: int | None, processes: Processes) -> Train:
    """Train at most ``most`` seeds at a time (None: all seeds of a process), from one evaluation to the next.

    Seeds do not depend on each other, so the results differ only by rounding. A process holds the activations and
    gradients of one chunk at a time, but the parameters, batches and evaluation targets of all its chunks. A resumed
    run keeps its original chunks.
    """

    def train_in_seed_chunks(config: Any, state: State | None = None) -> Iterator[Snapshot]:
        parts: Sequence[Part]
        if state is None:
            parts = [(part, None) for part in _parted(config, sizes(config.seeds, most, processes.count))]
        else:
            parts = chunks_of(config, state)
        if len(parts) == 1:
            return train(config, state)
        return (_joined(snapshots, parts) for snapshots in processes.train(train, parts))

    return train_in_seed_chunks


def chunks_of(config: Any, state: State) -> list[tuple[Any, State]]:
    """The chunks of a run's state, each with its own options; the whole run if its state has no chunks."""
    parts = _parted(config, state.get("sizes", [config.seeds]))
    return list(zip(parts, state.get("chunks", [state]), strict=True))


def _parted(config: Any, chunks: Sequence[int]) -> list[Any]:
    firsts = accumulate(chunks[:-1], initial=config.first_seed)
    return [replace(config, first_seed=first, seeds=size) for first, size in zip(firsts, chunks, strict=True)]


def _joined(snapshots: Sequence[Snapshot], parts: Sequence[Part]) -> Snapshot:
    """One snapshot of all seeds; model, figures and files, which show single seeds, come from the first chunk."""
    first = snapshots[0]
    return replace(
        first,
        metrics={name: torch.cat([each.metrics[name] for each in snapshots]) for name in first.metrics},
        state={"sizes": [config.seeds for config, _ in parts], "chunks": [each.state for each in snapshots]},
        histograms={
            name: torch.cat([each.histograms[name].flatten() for each in snapshots]) for name in first.histograms
        },
    )
