"""Errors that the user can mend: shown in one line, with exit status 2."""

from __future__ import annotations


class UserError(Exception):
    """The message is one line: what was wrong, what was wanted, what to do."""


class OptionError(UserError, ValueError):
    """An option has a value that cannot be used; the message states what was wanted and what was given."""


def describe_error(error: BaseException) -> str:
    """An error in one line; its type is named where its text was not written for users."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
