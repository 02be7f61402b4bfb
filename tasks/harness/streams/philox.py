"""Philox-2x32-10, a generator without a state: each number is a function of the seed, the step and its position.

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", with the constants of their library Random123. It
consists of tensor operations, so a training step that is captured on a GPU makes its own numbers there. On a CPU it
takes four to five times as long as the compiled SFC64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nalu.training.steps import Step

ROUNDS = 10
MULTIPLIER = 0xD256D193
WEYL = 0x9E3779B9
"""Added to the key after each round."""
WORD = 0xFFFFFFFF
DOMAIN_SHIFT = 28
"""The first counter word holds the position in its lower 28 bits and the domain in the others."""


def philox(first: Tensor, second: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """The two random 32-bit numbers of a counter ``(first, second)`` and a key.

    All are 32-bit numbers in int64 tensors that broadcast to each other: torch has no arithmetic for uint32. The
    product of two 32-bit numbers overflows an int64, but keeps the right 64 bits.
    """
    for _ in range(ROUNDS):
        product = first * MULTIPLIER
        first, second = ((product >> 32) & WORD) ^ key ^ second, product & WORD
        key = (key + WEYL) & WORD
    return first, second


class PhiloxStream:
    """Uniform numbers in [0, 1), float32, ``(S, *shape)`` per step, made on the device; see ``streams.stream.Stream``.

    Args:
        seeds: the random seeds, one per stream, below 2^32.
        shape: the shape of one batch of one seed, of fewer than 2^28 numbers.
        domain: 0..15; separates streams of the same seed that serve different purposes.

    Raises:
        ValueError: when the shape or the domain is too large.
    """

    def __init__(self, seeds: Sequence[int], shape: Sequence[int], *, device: torch.device, domain: int = 0) -> None:
        size = math.prod(shape)
        if size >= 1 << DOMAIN_SHIFT or not 0 <= domain < 16:
            raise ValueError(
                f"a batch must have fewer than 2^28 numbers and a domain in 0..15, got {size} and {domain}"
            )
        self._shape = (len(seeds), *shape)
        self._position = torch.arange(size, device=device) + (domain << DOMAIN_SHIFT)
        self._key = torch.tensor(list(seeds), device=device).unsqueeze(1)

    def draw(self, step: Step) -> Tensor:
        """The step as an int64 tensor: all that :meth:`uniform` needs."""
        return step if isinstance(step, Tensor) else torch.tensor(step, device=self._position.device)

    def uniform(self, drawn: Tensor) -> Tensor:
        """The numbers of a step, ``(S, *shape)``."""
        bits, _ = philox(self._position, drawn, self._key)
        return ((bits >> 8).float() * 2.0**-24).view(self._shape)
