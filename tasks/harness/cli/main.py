"""The command line of all tasks: ``python -m tasks.<name> ...`` and ``nalu <name> ...``."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, NoReturn

import tyro

import nalu
from tasks.harness.cells import is_own, load_own
from tasks.harness.cli.parsing import command_name, parse, parse_command
from tasks.harness.config import Config, require
from tasks.harness.contract import Task
from tasks.harness.errors import OptionError, UserError
from tasks.harness.files import CONFIG, read_json
from tasks.harness.registry import all_task_names, as_command, load_task
from tasks.harness.rundir.directory import default_directory
from tasks.harness.summary import summary_table
from tasks.harness.terminal.progress import progress_bar
from tasks.harness.terminal.sanitize import is_text, sanitize
from tasks.harness.terminal.show import show
from tasks.harness.training.run import run
from tasks.harness.training.signals import interrupt_on_sigterm

TOO_LARGE = ("allocate memory", "out of memory", "Storage size calculation overflowed")
"""Parts of torch's error messages for tensors that do not fit into memory; these errors have no type of their own."""
MOST_THREADS = 1024
"""More threads than any machine's cores could run; torch would crash when it starts them."""
MEMORY = "not enough memory for these sizes; try fewer --seeds, a smaller --seed-chunk, or smaller batches"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where and how the run is trained and recorded."""

    out: Path | None = None
    """Run directory; by default runs/<task>/ and a name made from the options."""
    resume: bool = False
    """Continue the run in the directory; its stored options are the defaults."""
    overwrite: bool = False
    """Delete the run in the directory first."""
    seed_chunk: int | None = None
    """Number of seeds trained together; fewer need less memory; by default the task's fastest number."""
    processes: int = 1
    """Split the seeds over this many processes; faster on a multi-core machine."""
    threads: int | None = None
    """Number of torch threads in each process; by default the task's fastest number, one for small networks."""

    def __post_init__(self) -> None:
        require(
            self.seed_chunk is None or self.seed_chunk >= 1, f"--seed-chunk must be at least 1, got {self.seed_chunk}"
        )
        require(self.processes >= 1, f"--processes must be at least 1, got {self.processes}")
        require(
            self.threads is None or 1 <= self.threads <= MOST_THREADS,
            f"--threads must lie in 1..{MOST_THREADS}, got {self.threads}",
        )
        require(self.out is None or is_text(str(self.out)), f"--out must be a path in UTF-8, got {self.out}")


def run_task(task: str | Task, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one task from the command line and exit: one of the project's own by its name, or a task itself."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(task, Task):
        module = getattr(sys.modules["__main__"], "__spec__", None)
        program = f"python -m {module.parent if module else task.name}"
        guarded(lambda: _run_task(task, given, program))
    guarded(lambda: _run_task(load_task(task), given, f"python -m tasks.{task}"))


def console() -> NoReturn:
    """The console script ``nalu``."""
    sys.path.append(str(Path.cwd()))  # as python -m does: units of a file in this folder are found
    guarded(lambda: _console(sys.argv[1:]))


def guarded(command: Callable[[], None]) -> NoReturn:
    """Run a command and exit: with 0, with 2 and one line for a user error, or with 130 when interrupted."""
    interrupt_on_sigterm()
    _prepare_output()
    try:
        command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        message = "interrupted. Progress is saved; continue with --resume (reproduce and compare resume by themselves)"
        _fail(message, status=130)
    except BrokenPipeError:
        os._exit(0)  # the reader of our output has closed it
    except UserError as error:
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


def _prepare_output() -> None:
    """Replace what the terminal's encoding cannot show; write to nothing where a stream is closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # until the process ends
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def parse_run(task: Task, arguments: Sequence[str], default: Config, program: str) -> tuple[Config, RunOptions]:
    """The options of one run of a task; options that are not given come from ``default``."""
    parsed: Any = parse(_options(task, default), arguments, program, _describe(task))
    return parsed.task, parsed.run


def _options(task: Task, default: Config) -> type:
    """The options of a task, and of where and how it is run, side by side."""
    return make_dataclass(
        "Options",
        [
            ("task", tyro.conf.OmitArgPrefixes[task.config], field(default=default)),  # type: ignore[misc, name-defined]
            ("run", tyro.conf.OmitArgPrefixes[RunOptions], field(default=RunOptions())),
        ],
        namespace={"__doc__": _describe(task)},
    )


def _describe(task: Task) -> str:
    return f"{task.title}. {task.source}."


def _run_task(task: Task, arguments: Sequence[str], program: str) -> None:
    config, options = parse_run(task, arguments, task.config(), program)
    if options.resume and options.overwrite:
        raise UserError("--resume and --overwrite cannot be combined; give one of them")
    directory = options.out or default_directory(task, config)
    if options.resume and (directory / CONFIG).exists():
        stored: Any = read_json(directory / CONFIG).get("config")
        with contextlib.suppress(OptionError, TypeError):  # run() reports another task's run or a damaged one
            config, options = parse_run(task, arguments, task.config.from_dict(stored), program)
    if config.unit_name is not None and is_own(config.unit_name):
        for lack in load_own(config.unit_name):
            print(sanitize(lack), file=sys.stderr)
    with progress_bar() as progress:
        bar = progress.add_task(f"{task.command} {config.label()}", total=config.steps)
        finished = run(
            task,
            config,
            directory,
            resume=options.resume,
            overwrite=options.overwrite,
            seed_chunk=options.seed_chunk,
            processes=options.processes,
            threads=options.threads,
            on_snapshot=lambda snapshot: progress.update(bar, completed=snapshot.step),
        )
    show(summary_table(finished.summary, config.label()))
    print(sanitize(f"record: {directory}"))


def _console(arguments: list[str]) -> None:
    from tasks.harness.cli.commands import COMMANDS

    if arguments == ["--version"]:
        print(f"nalu {nalu.__version__}")
        return
    tasks = {as_command(name): name for name in all_task_names() if as_command(name) not in COMMANDS}
    arguments = command_name(arguments, [*COMMANDS, *tasks], "nalu")
    name, rest = arguments[0], arguments[1:]
    if name in COMMANDS:
        parse(COMMANDS[name], rest, f"nalu {name}", COMMANDS[name].__doc__ or "")()
    elif name in tasks:
        _run_task(load_task(tasks[name]), rest, f"nalu {name}")
    else:  # --help or the completion of all commands
        commands = {**COMMANDS, **_loadable(tasks)}
        parse_command(commands, arguments, "nalu", "Neural Arithmetic Logic Units, reproduced.")


def _loadable(tasks: Mapping[str, str]) -> dict[str, type]:
    """The options of the tasks, by command; one line on stderr for each task that cannot be loaded."""
    options = {}
    for command, name in tasks.items():
        try:
            task = load_task(name)
        except UserError as error:
            print(sanitize(f"not available: {error}"), file=sys.stderr)
        else:
            options[command] = _options(task, task.config())
    return options


def _fail(message: str, status: int = 2) -> NoReturn:
    print(sanitize(f"error: {message}" if status == 2 else message), file=sys.stderr)
    sys.exit(status)
