"""Text of unknown origin, made into one line that is safe to print on a terminal."""

from __future__ import annotations

LONGEST = 1000
"""Largest number of characters of a line; only the beginning and the end of a longer line are kept."""


def is_text(name: str) -> bool:
    """Whether a name is valid Unicode; a file name need not be."""
    return not any("\ud800" <= c <= "\udfff" for c in name)


def sanitize(text: str) -> str:
    """One printable line: line breaks, terminal controls and invalid characters become escape sequences."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 200]} … {line[-190:]}"
