"""Command-line options, parsed by tyro. Only this file depends on tyro's internals (its error panel)."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import tyro

from tasks.harness.config import flag
from tasks.harness.errors import UserError

T = TypeVar("T")

COMPLETION = ("--tyro-print-completion", "--tyro-write-completion")
"""tyro's options, given first, that print or write a script by which a shell completes commands and options."""


def parse(options: type[T], arguments: Sequence[str], program: str, description: str) -> T:
    """Parse options from the command line; a path may start with ~, and an integer may be written as 1e4.

    Raises:
        UserError: for wrong options; its one line replaces tyro's error panel.
    """
    with _one_line_errors(arguments, program):
        given = _whole_numbers(options, arguments)
        parsed = tyro.cli(options, args=given, prog=program, description=description)
    return _expanded(parsed)


def parse_command(commands: Mapping[str, type], arguments: Sequence[str], program: str, description: str) -> Any:
    """Show the help, or print the shell completion, of all commands together.

    Raises:
        UserError: for any other option.
    """
    known: dict[str, Callable[..., Any]] = dict(commands)
    with _one_line_errors(arguments, program):
        return tyro.extras.subcommand_cli_from_dict(known, prog=program, description=description, args=list(arguments))


def command_name(arguments: Sequence[str], commands: Iterable[str], program: str) -> list[str]:
    """The arguments, their first one as the command is called: _ may stand for -, and nothing or help for --help.

    Raises:
        UserError: for an unknown command, with those that are near.
    """
    name, *rest = arguments or ["--help"]
    if name == "help":
        name, rest = (rest[0], ["--help"]) if rest else ("--help", [])
    known = {command.replace("_", "-"): command for command in commands}
    name = known.get(name.replace("_", "-"), name)
    if name.startswith("-") or name in known.values():
        return [name, *rest]
    near = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"{program} knows {', '.join(known)}"
    raise UserError(f"unknown command {name!r}; {hint}")


def _whole_numbers(options: Any, arguments: Sequence[str]) -> list[str]:
    """The arguments with 1e4 written as 10000 where an option takes whole numbers."""
    names = {flag(name) for name in _whole_number_options(options)}
    result, takes_whole_numbers = [], False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if argument.startswith("--"):
            takes_whole_numbers = option.replace("_", "-") in names
            result.append(option + equals + _whole(value) if takes_whole_numbers else argument)
        else:
            result.append(_whole(argument) if takes_whole_numbers else argument)
    return result


def _whole(text: str) -> str:
    if re.fullmatch(r"\d+(\.\d+)?[eE]\+?\d{1,3}", text) and (value := float(text)) == value // 1 != float("inf"):
        return f"{value:.0f}"
    return text


def _whole_number_options(options: Any) -> Iterator[str]:
    """The names of the fields of a dataclass, and of the dataclasses in it, that are whole numbers or None."""
    hints = get_type_hints(options)
    for field in fields(options):
        kind = hints[field.name]
        if is_dataclass(kind):
            yield from _whole_number_options(kind)
        elif {int} <= {kind, *get_args(kind)} <= {int, int | None, type(None), tuple[int, ...], ...}:
            yield field.name


def _expanded(value: T) -> T:
    """Options with the home directory in the place of ~ in their paths."""
    if isinstance(value, Path):
        try:
            return value.expanduser()
        except RuntimeError as error:
            raise UserError(f"{value}: {error}") from None
    if isinstance(value, tuple):
        return type(value)(map(_expanded, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    before = {field.name: getattr(value, field.name) for field in fields(value)}
    after = {name: _expanded(part) for name, part in before.items()}
    return replace(value, **after) if after != before else value


@contextlib.contextmanager
def _one_line_errors(arguments: Sequence[str], program: str) -> Iterator[None]:
    if {"-h", "--help"} & set(arguments):
        yield
        return
    if len(arguments) > 1 and arguments[0].replace("_", "-") in COMPLETION:
        try:
            yield
        except AssertionError as error:  # an unknown shell
            raise UserError(str(error)) from None
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
            message.append(re.sub(r"^Error parsing [A-Za-z]+: ", "", line))
    return f"{' '.join(message)} (see {program} --help)"
