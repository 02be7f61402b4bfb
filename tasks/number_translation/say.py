"""Ask a trained network: ``python -m tasks.number_translation.say "seven hundred and forty two" --run RUN``."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from tasks.harness.cli.main import guarded
from tasks.harness.cli.parsing import parse
from tasks.harness.errors import UserError
from tasks.harness.registry import load_task
from tasks.harness.training.trained_seed import load_trained_chunks
from tasks.number_translation.best import chosen_network, lowest_error
from tasks.number_translation.data import Wording
from tasks.number_translation.model import build
from tasks.number_translation.pictures import values


@dataclass(frozen=True)
class Say:
    """Read a number in words, with the seed and the step that validation chose."""

    words: tyro.conf.Positional[str]
    """The number in words, in one argument."""
    run: Path
    """The directory of a run of number-translation."""

    def __call__(self) -> None:
        """Print the value after each word, and the number."""
        chunks = load_trained_chunks(load_task("number_translation"), self.run)
        config, _ = chunks[0]
        said = split_words(self.words, config.wording)
        chosen = min((state["best"] for _, state in chunks), key=lowest_error)
        single = chosen_network(build(config.model, config.sizes), chosen)
        found = values(config.wording, single, said)
        width = max(len(word) for word in said)
        for word, value in zip(said, found, strict=True):
            print(f"{word:{width}}  {value:.2f}")
        print(round(found[-1]))


def split_words(text: str, wording: Wording) -> tuple[str, ...]:
    """The words of a text, all of them known.

    Raises:
        UserError: for an unknown word, with those that are near, or when there is none.
    """
    said = tuple(text.lower().replace("-", " ").replace(",", " ").split())
    if not said:
        raise UserError('a number in words is wanted, as "seven hundred and forty two", and nothing was given')
    for word in said:
        if word not in wording.vocabulary:
            near = difflib.get_close_matches(word, wording.vocabulary) or wording.vocabulary
            raise UserError(f"{word!r} is not a word of this run; it knows {', '.join(near)}")
    return said


if __name__ == "__main__":
    program = "python -m tasks.number_translation.say"
    guarded(lambda: parse(Say, sys.argv[1:], program, "Read a number in words.")())
