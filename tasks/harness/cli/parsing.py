"""Command-line options, parsed by tyro. Only this file depends on tyro's internals (its error panel)."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import tyro

from tasks.harness.errors import UserError

T = TypeVar("T")


def parse(options: type[T], arguments: Sequence[str], program: str, description: str) -> T:
    """Parse options from the command line.

    Raises:
        UserError: for wrong options; its one line replaces tyro's error panel.
    """
    with _one_line_errors(arguments, program):
        return tyro.cli(options, args=list(arguments), prog=program, description=description)


def parse_command(commands: Mapping[str, type], arguments: Sequence[str], program: str, description: str) -> Any:
    """Parse the options of a command, which the first argument names.

    Raises:
        UserError: for an unknown command or wrong options.
    """
    known: dict[str, Callable[..., Any]] = dict(commands)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
        raise UserError(f"unknown command {arguments[0]!r}; {program} knows {', '.join(known)}")
    with _one_line_errors(arguments, " ".join([program, *arguments[:1]])):
        return tyro.extras.subcommand_cli_from_dict(known, prog=program, description=description, args=list(arguments))


@contextlib.contextmanager
def _one_line_errors(arguments: Sequence[str], program: str) -> Iterator[None]:
    if {"-h", "--help"} & set(arguments):
        yield
        return
    panel = io.StringIO()
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "1000"  # so that tyro does not break its lines
    try:
        with contextlib.redirect_stdout(panel), contextlib.redirect_stderr(panel):
            yield
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
