"""``nalu new-task``: write a task that trains at once, from the files in ``harness/skeleton``."""

from __future__ import annotations

import keyword
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import tyro

import tasks
from tasks.harness.config import require
from tasks.harness.errors import UserError
from tasks.harness.files import read_text, write_text
from tasks.harness.registry import all_task_names, as_command, as_package
from tasks.harness.terminal.sanitize import is_text, sanitize

SKELETON = Path(tasks.__file__).with_name("harness") / "skeleton"
NAME, TITLE = "my_task", "My task"
"""The name and the title of the task in the skeleton."""
ROOT = Path(tasks.__file__).parents[1]
"""The checkout, if this is one."""


@dataclass(frozen=True)
class NewTask:
    """Write a new task that trains at once: a package of your own, or, inside the checkout, a task of this project."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """Name of the task: lower-case letters, digits, - and _."""
    directory: Annotated[Path | None, tyro.conf.arg(name="in")] = None
    """Folder for the package; by default the current one, and inside the checkout its tasks."""

    def __post_init__(self) -> None:
        wanted = "NAME must be lower-case letters, digits, - and _, and begin with a letter"
        fits = re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", self.name)
        require(fits is not None, f"{wanted}, got {self.name!r}")
        require(not keyword.iskeyword(self.name), f"NAME must not be a word of Python, got {self.name}")
        place = str(self.directory or "")
        require(is_text(place), f"--in must be a path in UTF-8, got {place}")

    def __call__(self) -> None:
        """Write the files, and print what to do next."""
        from tasks.harness.cli.commands import COMMANDS

        package, command = as_package(self.name), as_command(self.name)
        if package in all_task_names() or command in (*COMMANDS, "help"):
            raise UserError(f"{command} is already a task or a command of nalu; choose another name")
        if self.directory is None and _inside_checkout():
            _write_to_checkout(package)
            first = f"written to {ROOT / 'tasks' / package}, and registered in tasks/__init__.py"
        else:
            folder = (self.directory or Path()).absolute() / self.name  # pip takes a bare name for one of an index
            if find_spec(package) is not None:
                raise UserError(f"there is already a module named {package}; choose another name")
            _write_package(package, folder)
            first = f"written to {folder}; now install it: pip install -e {shlex.quote(str(folder))}"
        print(sanitize(f"{command}: {first}"))
        print(f"then: nalu {command}; nalu reproduce --tasks {command}; nalu check {command}")


def _inside_checkout() -> bool:
    return (ROOT / "pyproject.toml").is_file() and Path.cwd().is_relative_to(ROOT.resolve())


def _write_package(package: str, folder: Path) -> None:
    """A package of its own: ``folder`` with a pyproject.toml, the package and its tests."""
    sources = [path for path in SKELETON.rglob("*") if path.suffix in (".py", ".toml", ".md")]
    places = {path: folder / _renamed(path.relative_to(SKELETON), package) for path in sources}
    _require_fresh(folder)
    _write(places, package, {})


def _write_to_checkout(package: str) -> None:
    """A task of this project: its folder in tasks, its test, and its name in ``TASKS``."""
    sources = [*(SKELETON / NAME).glob("*.py"), SKELETON / "readme.md"]
    places = {path: ROOT / "tasks" / package / _renamed(Path(path.name), package) for path in sources}
    test = SKELETON / "tests" / f"test_{NAME}.py"
    places[test] = ROOT / "tests" / "tasks" / f"test_{package}.py"
    registry = ROOT / "tasks" / "__init__.py"
    before = read_text(registry)
    after = re.sub(r'^(TASKS = \((\n    "\w+",)*)', rf'\1\n    "{package}",', before, count=1, flags=re.MULTILINE)
    if after == before:
        raise UserError(f"{registry} has no TASKS = (...) with one name on each line")
    _require_fresh(ROOT / "tasks" / package, places[test])
    _write(places, package, {f"from {NAME}": f"from tasks.{NAME}"})
    write_text(registry, after)


def _require_fresh(*places: Path) -> None:
    for place in places:
        if place.exists():
            raise UserError(f"{place} exists already; choose another name, or delete it")


def _renamed(path: Path, package: str) -> Path:
    """The place of a file of the skeleton; its README is in lower case there, because it is not one of this project."""
    return Path(str(path).replace(NAME, package).replace("readme.md", "README.md"))


def _write(places: Mapping[Path, Path], package: str, changes: Mapping[str, str]) -> None:
    """Write each file of the skeleton to its place, with the name of the task in it."""
    command = as_command(package)
    names = {NAME: package, as_command(NAME): command, TITLE: command.replace("-", " ").capitalize()}
    for source, place in places.items():
        text = read_text(source)
        for old, new in {**changes, **names}.items():
            text = text.replace(old, new)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text(place, text)
