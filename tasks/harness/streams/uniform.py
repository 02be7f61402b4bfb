"""Random training data, one independent stream per seed; the generator is chosen here: NumPy's or the compiled sfc64.

Batch t of seed k is a pure function of (k, t). A seed sees the same numbers alone or among a hundred seeds, in a new
or a resumed run, and no generator state needs to be saved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.harness.streams import sfc64

BATCHES_PER_SEEDING = 64
"""Batches drawn from one seeding of a generator."""
MIN_COMPILED_NUMBERS = 2**26
"""From this many numbers on, a faster generator repays the tenths of a second that compiling it takes."""


class UniformStream:
    """Uniform numbers in [0, 1), float32, ``(S, *shape)`` per step.

    Args:
        seeds: the random seeds, one per stream.
        shape: the shape of one batch of one seed.
        domain: separates streams of the same seed that serve different purposes.
    """

    def __init__(self, seeds: Sequence[int], shape: Sequence[int], *, domain: int = 0) -> None:
        self.seeds = tuple(seeds)
        self.domain = domain
        self._batch = np.empty((len(self.seeds), math.prod(shape)), np.float32)
        self._view = torch.from_numpy(self._batch).view(len(self.seeds), *shape)
        # One 64-bit number gives two floats.
        self._draws = -(-self._batch.shape[1] // 2)
        self._generators: _OneByOne | sfc64.Together | None = None
        self._next_step = -1
        self._made = 0

    def batch(self, step: int) -> Tensor:
        """The batch of ``step``, ``(S, *shape)``. The tensor is overwritten by the next call."""
        chunk, offset = divmod(step, BATCHES_PER_SEEDING)
        if self._generators is None or step != self._next_step or not offset:
            self._generators = self._seeded(chunk, offset)
        self._generators.fill(self._batch)
        self._next_step = step + 1
        self._made += self._batch.size
        return self._view

    def _seeded(self, chunk: int, offset: int) -> _OneByOne | sfc64.Together:
        generators = [np.random.SFC64(np.random.SeedSequence((self.domain, seed, chunk))) for seed in self.seeds]
        for generator in generators:
            generator.random_raw(offset * self._draws, output=False)
        if self._made >= MIN_COMPILED_NUMBERS and sfc64.is_available():
            return sfc64.Together(generators)
        return _OneByOne(generators)


@dataclass(frozen=True)
class _OneByOne:
    """NumPy generators, one per row, which need no compiler."""

    generators: Sequence[np.random.SFC64]

    def fill(self, out: np.ndarray) -> None:
        """Uniform numbers in [0, 1) for ``out``, ``(S, n)``, float32."""
        for row, generator in zip(out, self.generators, strict=True):
            bits = generator.random_raw(-(-row.size // 2)).view(np.uint32)[: row.size]
            # The upper 23 bits as the mantissa of a float in [1, 2): nearly twice as fast as Generator.random.
            np.right_shift(bits, 9, out=bits)
            np.bitwise_or(bits, 0x3F800000, out=row.view(np.uint32))
        out -= 1
