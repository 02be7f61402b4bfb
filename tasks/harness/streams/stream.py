"""What all streams of training data have in common, and the choice between the two generators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from nalu.training.steps import Step
from tasks.harness.config import Generator
from tasks.harness.streams.philox import PhiloxStream
from tasks.harness.streams.uniform import UniformStream


class Stream(Protocol):
    """Uniform numbers in [0, 1), float32, ``(S, *shape)`` per step; a pure function of seed, step and position.

    They are made in two parts, because a training step that is compiled or captured on a GPU can contain the second
    part alone.
    """

    def draw(self, step: Step) -> Tensor:
        """What :meth:`uniform` makes the numbers of ``step`` from."""

    def uniform(self, drawn: Tensor) -> Tensor:
        """The numbers, ``(S, *shape)``. They may be overwritten by the next step's."""


def uniform_stream(
    generator: Generator,
    seeds: Sequence[int],
    shape: Sequence[int],
    *,
    device: torch.device,
    domain: int = 0,
    block: int = 1,
) -> Stream:
    """The stream of a generator: ``philox`` on the device, or ``sfc64``, the faster one on a CPU.

    Args:
        seeds: the random seeds, one per stream.
        shape: the shape of one batch of one seed.
        domain: separates streams of the same seed that serve different purposes.
        block: the number of steps for which sfc64 draws at a time; more are faster if the batches are small.
    """
    if generator == "philox":
        return PhiloxStream(seeds, shape, device=device, domain=domain)
    return SFC64Stream(seeds, shape, device=device, domain=domain, block=block)


class SFC64Stream:
    """:class:`~tasks.harness.streams.uniform.UniformStream`, drawn on the CPU and copied to the device."""

    def __init__(
        self, seeds: Sequence[int], shape: Sequence[int], *, device: torch.device, domain: int = 0, block: int = 1
    ) -> None:
        self._stream = UniformStream(seeds, shape if block == 1 else (block, *shape), domain=domain)
        self._device = device
        self._size = block
        self._block: Tensor
        self._drawn = -1

    def draw(self, step: Step) -> Tensor:
        """The numbers themselves."""
        number, within = divmod(int(step), self._size)
        if self._size == 1:
            return self._stream.batch(number).to(self._device)
        if number != self._drawn:
            self._block = self._stream.batch(number).to(self._device)
            self._drawn = number
        return self._block[:, within]

    def uniform(self, drawn: Tensor) -> Tensor:
        """The same numbers."""
        return drawn
