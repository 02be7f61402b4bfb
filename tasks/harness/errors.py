"""Errors that are the user's to mend: told in one line, with exit status 2."""

from __future__ import annotations


class UserError(Exception):
    """What was wanted and what was given, in one line."""
