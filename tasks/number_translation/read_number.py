"""Read a number with a trained network: ``python -m tasks.number_translation.read_number "forty two" --run RUN``."""

from __future__ import annotations

import difflib
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import tyro

from tasks.harness.cli.main import guarded
from tasks.harness.cli.parsing import parse
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task
from tasks.harness.training.trained_seed import load_trained_chunks
from tasks.number_translation.best_so_far import chosen_network, lowest_error
from tasks.number_translation.data import Wording
from tasks.number_translation.model import build
from tasks.number_translation.pictures import values


@dataclass(frozen=True)
class ReadNumber:
    """Read a number in words with a trained network. Validation chooses the seed and the step."""

    words: tyro.conf.Positional[str]
    """The number in words, as one argument."""
    run: Path
    """Directory of a run of number-translation."""

    def __call__(self) -> None:
        """Print the network's output after each word, then the last output, rounded.

        Raises:
            UserError: when the run cannot be used, or a word is unknown.
        """
        chunks = load_trained_chunks(load_task("number_translation"), self.run)
        config, _ = chunks[0]
        words = split_words(self.words, config.wording)
        best = min((state["best"] for _, state in chunks), key=lowest_error)
        single = chosen_network(build(config.model, config.sizes), best)
        predictions = values(config.wording, single, words)
        width = max(len(word) for word in words)
        for word, prediction in zip(words, predictions, strict=True):
            print(f"{word:{width}}  {prediction:.2f}")
        print(round(predictions[-1]))


def split_words(text: str, wording: Wording) -> tuple[str, ...]:
    """The words of a text, in lower case.

    Raises:
        UserError: when the text is empty or has a word outside the vocabulary; the message suggests similar words.
    """
    composed = unicodedata.normalize("NFC", text)  # an accent may be a character of its own
    words = tuple(composed.lower().replace("-", " ").replace(",", " ").split())
    if not words:
        raise UserError('the number in words is empty; give words such as "seven hundred and forty two"')
    for word in words:
        if word not in wording.vocabulary:
            similar = difflib.get_close_matches(word, wording.vocabulary) or wording.vocabulary
            raise UserError(f"{word!r} is not in the vocabulary of this run; try one of: {', '.join(similar)}")
    return words


if __name__ == "__main__":
    program = "python -m tasks.number_translation.read_number"
    guarded(lambda: parse(ReadNumber, sys.argv[1:], program, "Read a number in words.")())
