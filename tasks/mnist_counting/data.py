"""Series of digits and what is to be known after each of them: counts, sums or products.

Trask et al. 2018, section 4.2 (counting, addition); Madsen & Johansen 2020 (arXiv:2001.05016; cumsum, product).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.harness.streams import UniformStream
from tasks.mnist_counting.digits import Digits, DigitSets

Target = Literal["counting", "addition", "cumsum", "product"]
TARGETS: tuple[Target, ...] = get_args(Target)
CLASSES = 10

VALIDATION_SEED = 47430696
TEST_SEED = 88253339
MOST_SERIES, FEWEST_SERIES = 2000, 100


@dataclass(frozen=True)
class Problem:
    """What one target asks for."""

    outputs: int
    """Numbers that are to be known: ten counts, or one."""
    length: int
    """Digits in a training series."""
    lengths: tuple[int, ...]
    """Digits in the test series; the last is the extrapolation that counts."""
    every_step: bool = False
    """The answer is asked for after every digit, and not only after the last."""
    smallest: int = 0
    """The smallest digit that occurs."""


PROBLEMS: dict[Target, Problem] = {
    "counting": Problem(CLASSES, 10, (1, 10, 100, 1000)),
    "addition": Problem(1, 10, (1, 10, 100, 1000)),
    "cumsum": Problem(1, 10, (1, 10, 100, 1000), every_step=True),
    "product": Problem(1, 2, (1, 2, 5, 10, 15, 20), every_step=True, smallest=1),
}


def answers(target: Target, labels: Tensor) -> Tensor:
    """What is right after each digit, float32: labels ``(..., T) -> (..., T, outputs)``."""
    if target == "counting":
        return F.one_hot(labels, CLASSES).cumsum(dim=-2).float()
    if target == "product":
        return labels.double().cumprod(dim=-1).float().unsqueeze(-1)  # 9^20 is too large for an int64
    return labels.cumsum(dim=-1).float().unsqueeze(-1)


@dataclass(frozen=True)
class Series:
    """Fixed series for an evaluation, the same for all seeds."""

    indices: Tensor
    """Of the digits in their set, ``(N, T)``."""
    answers: Tensor
    """After the last digit, ``(N, outputs)``."""


class Data:
    """Training batches, and the fixed evaluation series.

    Args:
        seeds: one a stream.
        eval_size: digits in all the series of one length; there are at least 100 series and at most 2000.
    """

    def __init__(
        self, target: Target, digits: DigitSets, seeds: range, *, batch_size: int, eval_size: int, device: torch.device
    ) -> None:
        self.problem = PROBLEMS[target]
        self._target: Target = target
        self._device = device
        self._train = _usable(digits.train, self.problem, device)
        self._stream = UniformStream(seeds, (batch_size, self.problem.length))
        validation, test = (_usable(part, self.problem, device) for part in (digits.validation, digits.test))
        self.validation_images, self.test_images = validation.images, test.images
        self.validation = self._series(validation.labels, self.problem.length, VALIDATION_SEED, eval_size)
        """Of held-out training digits, of the training length."""
        self.test = {n: self._series(test.labels, n, TEST_SEED + n, eval_size) for n in self.problem.lengths}
        """Of test digits, by length; those of length 1 are every test digit once."""

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images ``(S, B, T, 28, 28)``, uint8, and answers ``(S, B, T, outputs)`` of a step."""
        indices = self._stream.batch(step).to(self._device).mul_(len(self._train.labels)).long()
        return self._train.images[indices], answers(self._target, self._train.labels[indices])

    def _series(self, labels: Tensor, length: int, seed: int, size: int) -> Series:
        if length == 1:
            indices = torch.arange(len(labels), device=self._device).unsqueeze(-1)
        else:
            count = min(max(size // length, FEWEST_SERIES), MOST_SERIES)
            drawn = np.random.RandomState(seed).randint(len(labels), size=(count, length))
            indices = torch.from_numpy(drawn).to(self._device)
        return Series(indices, answers(self._target, labels[indices])[..., -1, :])


def _usable(digits: Digits, problem: Problem, device: torch.device) -> Digits:
    """The digits that the target is defined for: without zeros, a product is not soon 0."""
    kept = digits.labels >= problem.smallest
    return Digits(digits.images[kept].to(device), digits.labels[kept].to(device))
