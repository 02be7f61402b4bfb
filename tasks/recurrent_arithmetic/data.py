"""Sequences and targets: sums a and b of two fixed subsets of the inputs over all steps, and y = f(a, b).

Trask et al. 2018, section 4.1 (recurrent); protocol of Madsen & Johansen and of Hoedt et al. (the MC-LSTM study): 10
inputs per step, subsets of 2 that share 1, inputs in [1, 2].
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nalu.training.steps import Step
from tasks.arithmetic.problem import EXTRAPOLATION_SEED, VALIDATION_SEED, Operation, Subsets, apply
from tasks.harness.streams import Generator, uniform_stream

LENGTHS = (10, 100, 1000)
"""Lengths of the test sequences; the first is also the training length, the last decides which seeds are solved."""
SUBSETS = Subsets(inputs=10, size=2, overlap=1)
LOW, HIGH = 1.0, 2.0
"""Range of all inputs."""


class Data:
    """Training batches, and the fixed evaluation sets that all seeds share.

    Args:
        op: the operation.
        subsets: sizes of the subsets among the inputs of a step.
        seeds: the random seeds, one per stream.
        length: steps of a training sequence.
        lengths: steps of the test sequences.
    """

    def __init__(
        self,
        op: Operation,
        subsets: Subsets,
        seeds: range,
        *,
        length: int,
        lengths: tuple[int, ...],
        batch_size: int,
        eval_size: int,
        device: torch.device,
        generator: Generator = "sfc64",
    ) -> None:
        self._op: Operation = op
        self._device = device
        self._masks = torch.stack([subsets.masks(seed) for seed in seeds]).to(device)
        self._stream = uniform_stream(generator, seeds, (batch_size, length, subsets.inputs), device=device)
        self.validation = self._evaluation_set(VALIDATION_SEED, length, eval_size)
        """Inputs ``(N, length, inputs)``, the same for all seeds, and their targets ``(S, N, 1)``."""
        self.test = {n: self._evaluation_set(EXTRAPOLATION_SEED + n, n, eval_size) for n in lengths}
        """The same for sequences of each test length."""

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs ``(S, B, length, inputs)`` and targets ``(S, B, 1)`` of a step."""
        return self.examples(self.draw(step))

    def draw(self, step: Step) -> Tensor:
        """What :meth:`examples` makes the batch of a step from."""
        return self._stream.draw(step)

    def examples(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """The batch of a step; ``drawn`` may be overwritten."""
        x = self._stream.uniform(drawn).mul_(HIGH - LOW).add_(LOW)
        return x, self._targets(x.sum(dim=-2), self._masks)

    def _targets(self, sums: Tensor, masks: Tensor) -> Tensor:
        """Targets from the inputs summed over the sequence, ``(..., B, inputs)``."""
        a, b = (masks @ sums.mT).unbind(dim=-2)
        return apply(self._op, a, b).unsqueeze(-1)

    def _evaluation_set(self, seed: int, length: int, size: int) -> tuple[Tensor, Tensor]:
        shape = (size, length, self._masks.shape[-1])
        x = torch.from_numpy(np.random.RandomState(seed).uniform(LOW, HIGH, size=shape)).float().to(self._device)
        targets = self._targets(x.double().sum(dim=-2), self._masks.double())
        return x, targets.float()
