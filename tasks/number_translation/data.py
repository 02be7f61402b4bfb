"""Numbers in words, and their split into training, validation and test.

Trask et al. 2018, section 4.3, use the words of 1000 numbers: 169 for training (0 to 19, and a random sample of the
others that contains every word), 200 for validation and 631 for the test.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Language = Literal["en", "es", "fr", "pt"]

ALWAYS = 20
"""All numbers below this one are in the training set."""
LISTED = 10_000
"""All numbers are used up to this limit; from larger ranges, a sample is drawn."""
SAMPLED_TEST = 2000
"""Size of the test set for larger ranges."""


@cache
def words(number: int, language: Language = "en", conjunction: bool = True) -> tuple[str, ...]:
    """The words of a number, without hyphens and commas, such as (five, hundred, and, fifteen).

    Args:
        conjunction: whether to keep the English "and".
    """
    from num2words import num2words

    text = unicodedata.normalize("NFC", num2words(number, lang=language)).replace("-", " ").replace(",", "")
    return tuple(word for word in text.split() if conjunction or word != "and")


@dataclass(frozen=True)
class Wording:
    """The words of all numbers from 0 to ``limit`` - 1."""

    limit: int
    language: Language
    conjunction: bool

    def words(self, number: int) -> tuple[str, ...]:
        """The words of a number."""
        return words(number, self.language, self.conjunction)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words, in alphabetical order."""
        return _vocabulary(self)

    def encode(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """One-hot words, ``(N, length, words)``; shorter sentences are padded with zeros on the left.

        Raises:
            KeyError: when a word is not in the vocabulary.
        """
        ids = {word: number for number, word in enumerate(self.vocabulary)}
        length = max(len(sentence) for sentence in sentences)
        coded = torch.zeros(len(sentences), length, len(ids))
        for row, sentence in zip(coded, sentences, strict=True):
            for position, word in enumerate(sentence, start=length - len(sentence)):
                row[position, ids[word]] = 1
        return coded

    def encode_numbers(self, numbers: Sequence[int]) -> Tensor:
        """One-hot words of numbers, ``(N, length, words)``; see :meth:`encode`."""
        return self.encode([self.words(number) for number in numbers])


@cache
def _vocabulary(wording: Wording) -> tuple[str, ...]:
    # Multiples of 1000 and 1000000 contribute the words for large numbers and their plurals.
    thousands = [k * 1000**power for power in (1, 2) for k in range(1, 1000)]
    numbers = [*range(min(wording.limit, 1000)), *(number for number in thousands if number < wording.limit)]
    return tuple(sorted({word for number in numbers for word in wording.words(number)}))


@dataclass(frozen=True)
class Split:
    """Disjoint numbers for training, for choosing the step (validation) and for reporting (test)."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


@cache
def split(wording: Wording, seed: int, train_size: int, validation_size: int) -> Split:
    """The split of a seed; a pure function of its arguments.

    The other numbers are put in random order. The training set starts with 0 to 19 and with every number that
    contributes a new word in this order; the next numbers fill it up.

    Raises:
        ValueError: when ``train_size`` is too small to contain every word, or leaves no numbers for the test.
    """
    random = np.random.RandomState(seed)
    order = _random_order(wording, random, train_size + validation_size)
    train, rest = list(range(ALWAYS)), []
    missing = set(wording.vocabulary) - {word for number in train for word in wording.words(number)}
    for number in order:
        if missing & set(wording.words(number)):
            missing -= set(wording.words(number))
            train.append(number)
        else:
            rest.append(number)
    fill = train_size - len(train)
    if fill < 0 or missing or len(rest) <= fill + validation_size:
        raise ValueError(f"must lie in {len(train)}..{len(train) + max(len(rest) - validation_size - 1, 0)}")
    validation, test = rest[fill : fill + validation_size], rest[fill + validation_size :]
    if wording.limit > LISTED:
        used = {*train, *rest[:fill], *validation}
        uniform = random.randint(0, wording.limit, size=2 * SAMPLED_TEST)
        test = [number for number in dict.fromkeys(uniform.tolist()) if number not in used][:SAMPLED_TEST]
    return Split((*train, *rest[:fill]), tuple(validation), tuple(test))


def _random_order(wording: Wording, random: np.random.RandomState, size: int) -> list[int]:
    """Numbers from ``ALWAYS`` on, in random order.

    From a large range, a sample is drawn in which every number of digits is equally likely.
    """
    if wording.limit <= LISTED:
        return random.permutation(np.arange(ALWAYS, wording.limit)).tolist()
    limits = [10**digits for digits in range(2, len(str(wording.limit - 1)))] + [wording.limit]
    drawn = random.randint(ALWAYS, np.array(limits)[random.randint(len(limits), size=4 * size)])
    return list(dict.fromkeys(drawn.tolist()))


class Data:
    """The examples of all seeds by part: one-hot words ``(S, N, length, words)`` and numbers ``(S, N)``.

    Args:
        splits: one per seed.
    """

    def __init__(self, wording: Wording, splits: Sequence[Split], device: torch.device, dtype: torch.dtype) -> None:
        self.train = self._examples(wording, [split.train for split in splits], device, dtype)
        self.validation = self._examples(wording, [split.validation for split in splits], device, dtype)
        self.test = self._examples(wording, [split.test for split in splits], device, dtype)

    @staticmethod
    def _examples(
        wording: Wording, numbers: list[tuple[int, ...]], device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        size = min(len(of_seed) for of_seed in numbers)
        numbers = [of_seed[:size] for of_seed in numbers]
        coded = wording.encode_numbers([number for of_seed in numbers for number in of_seed])
        coded = coded.view(len(numbers), size, *coded.shape[1:])
        return coded.to(device, dtype), torch.tensor(numbers, device=device, dtype=dtype)
