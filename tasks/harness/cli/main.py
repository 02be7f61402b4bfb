"""The command line of all tasks: ``python -m tasks.<name> ...`` and ``nalu <name> ...``."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import tyro

from tasks.harness.config import Config, require
from tasks.harness.contract import Task
from tasks.harness.errors import OptionError, UserError
from tasks.harness.files import CONFIG, read_json
from tasks.harness.registry import load_task, task_names
from tasks.harness.rundir.directory import default_directory
from tasks.harness.summary import summary_table
from tasks.harness.terminal.progress import progress_bar
from tasks.harness.terminal.sanitize import is_text, plain
from tasks.harness.terminal.show import show
from tasks.harness.training.run import run

TOO_LARGE = ("allocate memory", "out of memory", "Storage size calculation overflowed")
"""What torch says, in errors of no kind of their own, of tensors that do not fit."""
MEMORY = "not enough memory for these sizes; use fewer --seeds, a --chunk of them at a time, or smaller batches"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where the record goes."""

    out: Path | None = None
    """The run directory; by default runs/<task>/ and a name made from the options."""
    resume: bool = False
    """Go on with the run in the directory; options that are not given are taken from it."""
    overwrite: bool = False
    """Delete the run in the directory first."""
    chunk: int | None = None
    """Train so many seeds at a time, which needs less memory; results differ in rounding only. By default all, or where
    fewer are faster, as many as are fastest."""
    processes: int = 1
    """Train in so many processes at the same time, each its part of the seeds; results differ in rounding only."""

    def __post_init__(self) -> None:
        require(self.chunk is None or self.chunk >= 1, f"--chunk must be at least 1, got {self.chunk}")
        require(self.processes >= 1, f"--processes must be at least 1, got {self.processes}")
        require(self.out is None or is_text(str(self.out)), f"--out must be a path in UTF-8, got {self.out}")


def run_task(name: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one task from the command line and exit."""
    guarded(lambda: _run_task(name, sys.argv[1:] if arguments is None else list(arguments)))


def console() -> NoReturn:
    """The console script ``nalu``."""
    guarded(lambda: _console(sys.argv[1:]))


def guarded(command: Callable[[], None]) -> NoReturn:
    """Run a command and exit: 0, or 2 with one line for the user's errors, or 130 when interrupted."""
    # As Ctrl-C, also where a shell started us in the background and SIGINT is ignored.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command()
    except KeyboardInterrupt:
        _fail("interrupted; what is finished is kept: --resume goes on (nalu reproduce does so by itself)", status=130)
    except BrokenPipeError:
        os._exit(0)  # the reader of our output has seen enough
    except (UserError, OptionError) as error:
        _fail(str(error))
    except MemoryError as error:
        size = f" ({error})" if str(error) else ""
        _fail(MEMORY + size)
    except RuntimeError as error:
        if not any(words in str(error) for words in TOO_LARGE):
            raise
        _fail(MEMORY)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        _fail(f"cannot read or write{where}: {error.strerror or error}")
    sys.exit(0)


def _run_task(name: str, arguments: list[str]) -> None:
    task = load_task(name)
    program = f"python -m tasks.{name}"
    config, options = parse_run(task, arguments, task.config(), program)
    if options.resume and options.overwrite:
        raise UserError("--resume and --overwrite exclude each other")
    directory = options.out or default_directory(task, config)
    if options.resume and (directory / CONFIG).exists():
        stored: Any = read_json(directory / CONFIG).get("config")
        with contextlib.suppress(OptionError, TypeError):  # another task's run, or a damaged one, which run() reports
            config, options = parse_run(task, arguments, task.config.from_dict(stored), program)
    with progress_bar() as progress:
        bar = progress.add_task(f"{task.command} {config.label()}", total=config.steps)
        finished = run(
            task,
            config,
            directory,
            resume=options.resume,
            overwrite=options.overwrite,
            chunk=options.chunk,
            processes=options.processes,
            on_tick=lambda snapshot: progress.update(bar, completed=snapshot.step),
        )
    assert finished.summary is not None
    show(summary_table(finished.summary, config.label()))
    print(plain(f"record: {directory}"))


def parse_run(task: Task, arguments: list[str], default: Config, program: str) -> tuple[Config, RunOptions]:
    """The options of one task run; what is not given is taken from ``default``."""
    options = make_dataclass(
        "Options",
        [
            ("task", tyro.conf.OmitArgPrefixes[task.config], field(default=default)),  # type: ignore[misc, name-defined]
            ("run", tyro.conf.OmitArgPrefixes[RunOptions], field(default=RunOptions())),
        ],
    )
    parsed: Any = parse(options, arguments, program, f"{task.title}. {task.source}.")
    return parsed.task, parsed.run


def _console(arguments: list[str]) -> None:
    from tasks.harness.cli.commands import Report, Reproduce

    def over_tasks(command: type[Reproduce] | type[Report], name: str) -> Callable[[list[str]], None]:
        return lambda rest: parse(command, rest, f"nalu {name}", command.__doc__ or "")()

    commands: dict[str, tuple[str, Callable[[list[str]], None]]] = {
        "list": ("the tasks of this suite", _list),
        "reproduce": ("run the tables of all tasks, and report", over_tasks(Reproduce, "reproduce")),
        "report": ("tables and figures from finished runs", over_tasks(Report, "report")),
    }
    for name in task_names():
        task = load_task(name)
        commands[task.command] = (f"{task.title} ({task.source})", partial(_run_task, name))
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: nalu COMMAND [OPTIONS]      (nalu COMMAND --help for its options)\n")
        for name, (description, _) in commands.items():
            print(f"  {name:20} {description}")
        return
    if arguments[0] not in commands:
        raise UserError(f"nalu knows {', '.join(commands)}, and was given {arguments[0]!r}")
    commands[arguments[0]][1](arguments[1:])


def _list(arguments: list[str]) -> None:
    if arguments:
        raise UserError(f"nalu list takes no options, and was given {' '.join(arguments)}")
    for name in task_names():
        task = load_task(name)
        print(f"{task.command:20} {task.title} ({task.source})")


def _fail(message: str, status: int = 2) -> NoReturn:
    print(plain(f"error: {message}" if status == 2 else message), file=sys.stderr)
    sys.exit(status)
