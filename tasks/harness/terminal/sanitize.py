"""Text of unknown origin, as one line that a terminal can be shown."""

from __future__ import annotations

LONGEST = 1000
"""Characters of a line; of a longer one, the beginning and the end are kept."""


def is_text(name: str) -> bool:
    """Whether it is made of characters; the name of a file need not be."""
    return not any("\ud800" <= c <= "\udfff" for c in name)


def sanitize(text: str) -> str:
    """One printable line: line breaks, terminal controls and what is no character at all are spelled out as escapes."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 200]} … {line[-190:]}"
