"""Fewer seeds in memory at a time: a run of many seeds as consecutive ensembles that take turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from tasks.harness.contract import Snapshot, State, Train


def in_chunks(train: Train, size: int | None) -> Train:
    """Training of at most ``size`` seeds at a time, from one evaluation to the next; ``None`` for all at once.

    No seed depends on its companions, so that the results are the same but for rounding. Activations and gradients are
    those of one chunk at a time; parameters, batches and evaluation targets those of all. A resumed run keeps the
    chunks that it began with.
    """

    def train_in_chunks(config: Any, state: State | None = None) -> Iterator[Snapshot]:
        chunk = size if state is None else state.get("chunk")
        if chunk is None or chunk >= config.seeds:
            return train(config, state)
        firsts = range(0, config.seeds, chunk)
        configs = [
            replace(config, first_seed=config.first_seed + first, seeds=min(chunk, config.seeds - first))
            for first in firsts
        ]
        states = [None] * len(configs) if state is None else state["chunks"]
        runs = [train(part, own) for part, own in zip(configs, states, strict=True)]
        return (_joined(snapshots, chunk) for snapshots in zip(*runs, strict=True))

    return train_in_chunks


def _joined(parts: Sequence[Snapshot], chunk: int) -> Snapshot:
    """One snapshot of all seeds; but model, figures and further files, which show single seeds, of the first chunk."""
    first = parts[0]
    return replace(
        first,
        metrics={name: torch.cat([part.metrics[name] for part in parts]) for name in first.metrics},
        state={"chunk": chunk, "chunks": [part.state for part in parts]},
        histograms={name: torch.cat([part.histograms[name].flatten() for part in parts]) for name in first.histograms},
    )
