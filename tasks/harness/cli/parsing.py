"""Options from the command line: all that knows tyro's inside."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import tyro

from tasks.harness.errors import UserError

T = TypeVar("T")


def parse(options: type[T], arguments: Sequence[str], program: str, description: str) -> T:
    """Options from the command line, with tyro.

    Raises:
        UserError: in one line, in place of tyro's panel.
    """
    call: dict[str, Any] = {"args": list(arguments), "prog": program, "description": description}
    if {"-h", "--help"} & set(arguments):
        return tyro.cli(options, **call)
    panel = io.StringIO()
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "1000"  # so that tyro does not break its lines
    try:
        with contextlib.redirect_stdout(panel), contextlib.redirect_stderr(panel):
            return tyro.cli(options, **call)
    except SystemExit:
        raise UserError(_one_line(panel.getvalue(), program)) from None
    finally:
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns


def _one_line(panel: str, program: str) -> str:
    """The message of tyro's error panel: its first paragraphs, without the frame, before the help."""
    message: list[str] = []
    for line in (line.strip("│| ") for line in panel.splitlines()[1:]):
        if line.startswith(("For full helptext", "Argument helptext")):
            break
        if line.strip("─-╭╮╰╯+"):
            message.append(re.sub(r"^Error parsing (task|run|options): ", "", line))
    return f"{' '.join(message)} (see {program} --help)"
