"""Series of digits and the correct answer after each digit: counts, sums or products.

Counting and addition are from Trask et al. 2018, section 4.2; cumsum and product are from Madsen & Johansen 2020
(arXiv:2001.05016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nalu.training.steps import Step
from tasks.harness.streams import Generator, uniform_stream
from tasks.mnist_counting.digits import Digits, DigitSets

Target = Literal["counting", "addition", "cumsum", "product"]
TARGETS: tuple[Target, ...] = get_args(Target)
CLASSES = 10

VALIDATION_SEED = 47430696
TEST_SEED = 88253339
MOST_SERIES, FEWEST_SERIES = 2000, 100


@dataclass(frozen=True)
class Problem:
    """The problem that one target poses."""

    outputs: int
    """Size of an answer: ten counts, or one number."""
    length: int
    """Digits in a training series."""
    lengths: tuple[int, ...]
    """Digits in the test series, by increasing length; the last one is the extrapolation error."""
    every_step: bool = False
    """Whether the loss includes the answer after every digit, or only the answer after the last digit."""
    smallest: int = 0
    """The smallest digit that occurs."""


PROBLEMS: dict[Target, Problem] = {
    "counting": Problem(CLASSES, 10, (1, 10, 100, 1000)),
    "addition": Problem(1, 10, (1, 10, 100, 1000)),
    "cumsum": Problem(1, 10, (1, 10, 100, 1000), every_step=True),
    "product": Problem(1, 2, (1, 2, 5, 10, 15, 20), every_step=True, smallest=1),
}


def answers(target: Target, labels: Tensor) -> Tensor:
    """The correct answers after each digit, float32: labels ``(..., T) -> (..., T, outputs)``."""
    if target == "counting":
        return F.one_hot(labels, CLASSES).cumsum(dim=-2).float()
    if target == "product":
        return labels.double().cumprod(dim=-1).float().unsqueeze(-1)  # 9^20 is too large for an int64
    return labels.cumsum(dim=-1).float().unsqueeze(-1)


def mean_absolute(error: Tensor) -> Tensor:
    """Mean absolute error of every seed, ``(S, N, outputs) -> (S,)``."""
    return error.abs().mean(dim=(1, 2))


def digit_accuracy(predictions: Tensor, answers: Tensor) -> Tensor:
    """Fraction of single digits that each seed recognises, ``(S, N, outputs), (N, outputs) -> (S,)``.

    With ten outputs, the largest predicted count names the digit. With one output, the rounded prediction does.
    """
    if answers.shape[-1] > 1:
        correct = predictions.argmax(dim=-1) == answers.argmax(dim=-1)
    else:
        correct = ((predictions - answers).abs() < 0.5).squeeze(-1)
    return correct.float().mean(dim=1)


@dataclass(frozen=True)
class Series:
    """Fixed series for an evaluation, the same for all seeds."""

    indices: Tensor
    """Indices of the digits in their set, ``(N, T)``."""
    answers: Tensor
    """The correct answers after the last digit, ``(N, outputs)``."""


class Data:
    """Training batches, and the fixed evaluation series.

    Args:
        seeds: one stream of training batches per seed.
        eval_size: total number of digits in all series of one length, but at least 100 and at most 2000 series.
    """

    def __init__(
        self,
        target: Target,
        digits: DigitSets,
        seeds: range,
        *,
        batch_size: int,
        eval_size: int,
        device: torch.device,
        generator: Generator = "sfc64",
    ) -> None:
        self.problem = PROBLEMS[target]
        self._target: Target = target
        self._device = device
        self._train = _usable(digits.train, self.problem, device)
        self._stream = uniform_stream(generator, seeds, (batch_size, self.problem.length), device=device)
        validation, test = (_usable(part, self.problem, device) for part in (digits.validation, digits.test))
        self.validation_images, self.test_images = validation.images, test.images
        self.validation = self._series(validation.labels, self.problem.length, VALIDATION_SEED, eval_size)
        """Series of held-out training digits, of the training length."""
        self.test = {n: self._series(test.labels, n, TEST_SEED + n, eval_size) for n in self.problem.lengths}
        """Series of test digits, by length. The series of length 1 are all test digits, each once."""

    def batch(self, step: Step) -> tuple[Tensor, Tensor]:
        """Images ``(S, B, T, 28, 28)``, uint8, and correct answers ``(S, B, T, outputs)`` of a step."""
        indices = self._stream.uniform(self._stream.draw(step)).mul_(len(self._train.labels)).long()
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
    """The digits that the problem uses. Products use no zeros, because they would soon all be 0."""
    kept = digits.labels >= problem.smallest
    return Digits(digits.images[kept].to(device), digits.labels[kept].to(device))
