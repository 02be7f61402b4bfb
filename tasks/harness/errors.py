"""Errors that the user can fix: shown as one line, with exit status 2."""

from __future__ import annotations


class UserError(Exception):
    """The message is one line: what was wrong, what was wanted, what to do."""


class OptionError(UserError, ValueError):
    """An option has an invalid value; the message states what was wanted and what was given."""


def describe_error(error: BaseException) -> str:
    """An error in one line, with its type unless the text was written for users."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
