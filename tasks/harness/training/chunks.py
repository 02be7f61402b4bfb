"""Seed chunks: a run of many seeds trained as smaller ensembles, for less memory, for the cache, or in processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch

from tasks.harness.contract import Snapshot, State, Train
from tasks.harness.training.processes import Part, Processes


def sizes(seeds: int, most: int | None, processes: int = 1) -> list[int]:
    """Nearly equal chunks of at most ``most`` seeds (None: of any number), of which every process gets as many."""
    count = processes * -(-seeds // (processes * (most or seeds)))
    count = min(max(count, processes), seeds)
    return [seeds // count + (k < seeds % count) for k in range(count)]


def in_seed_chunks(train: Train, most: int | None, processes: Processes) -> Train:
    """Training of at most ``most`` seeds at a time, from one evaluation to the next; ``None`` for all of a process.

    No seed depends on its companions, so that the results are the same but for rounding. In each process, activations
    and gradients are those of one chunk at a time; parameters, batches and evaluation targets those of all that it
    trains. A resumed run keeps the chunks that it began with.
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
    """The chunks of a run's state, each with the options that it was trained with; the whole run if it has none."""
    parts = _parted(config, state.get("sizes", [config.seeds]))
    return list(zip(parts, state.get("chunks", [state]), strict=True))


def _parted(config: Any, chunks: Sequence[int]) -> list[Any]:
    firsts = accumulate(chunks[:-1], initial=config.first_seed)
    return [replace(config, first_seed=first, seeds=size) for first, size in zip(firsts, chunks, strict=True)]


def _joined(snapshots: Sequence[Snapshot], parts: Sequence[Part]) -> Snapshot:
    """One snapshot of all seeds; but model, figures and further files, which show single seeds, of the first chunk."""
    first = snapshots[0]
    return replace(
        first,
        metrics={name: torch.cat([each.metrics[name] for each in snapshots]) for name in first.metrics},
        state={"sizes": [config.seeds for config, _ in parts], "chunks": [each.state for each in snapshots]},
        histograms={
            name: torch.cat([each.histograms[name].flatten() for each in snapshots]) for name in first.histograms
        },
    )
