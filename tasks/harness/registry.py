"""The tasks by name: the project's own, and those of other installed packages.

Another package gives its task a name by an entry point::

    [project.entry-points."nalu.tasks"]
    my-task = "my_package"  # my_package.TASK, or "my_package.module:TASK"

The package of a task is imported only when the task is loaded. So a task that cannot be imported harms no other one,
and a record, which may be a stranger's, can load nothing but what its reader has installed.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from tasks import TASKS
from tasks.harness.errors import UserError, describe_error

if TYPE_CHECKING:
    from tasks.harness.contract import Task  # imports torch, which takes seconds; nalu list can do without

GROUP = "nalu.tasks"
"""The group of the entry points by which other packages give their tasks a name."""


def task_names() -> tuple[str, ...]:
    """The project's own tasks, the packages ``tasks.<name>``."""
    return TASKS


def installed_tasks() -> dict[str, list[EntryPoint]]:
    """The tasks of other installed packages, by name, with _ for every -; nothing is imported.

    A name of one of the project's own tasks is always the project's own task.
    """
    found: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=GROUP)):
        if as_package(entry.name) not in TASKS:
            found.setdefault(as_package(entry.name), []).append(entry)
    return found


def all_task_names() -> tuple[str, ...]:
    """The project's own tasks, and then those of other packages."""
    return *TASKS, *installed_tasks()


def as_package(name: str) -> str:
    """The name of a task with _ for every -, as in records and in ``Task.name``."""
    return name.replace("-", "_")


def as_command(name: str) -> str:
    """The name of a task with - for every _, as on the command line."""
    return name.replace("_", "-")


def find_task(name: str) -> str:
    """The name of a task that a user wrote with - or _.

    Raises:
        UserError: for an unknown task, with the one that is near.
    """
    known = all_task_names()
    if as_package(name) in known:
        return as_package(name)
    raise UserError(f"unknown task {name!r}; {near_miss(name, map(as_command, known))}")


def near_miss(name: str, known: Iterable[str]) -> str:
    """The known name that a user may have meant, as a question, or all known ones."""
    known = list(known)
    near = difflib.get_close_matches(as_command(name), known, n=1)
    return f"did you mean {near[0]}?" if near else f"wanted {', '.join(known)}"


@cache
def load_task(name: str) -> Task:
    """The task of a name with _, as in :func:`all_task_names`.

    Raises:
        UserError: when there is no such task, or its package cannot be imported or has no valid ``TASK``; one line.
    """
    from tasks.harness.contract import Task

    place = f"tasks.{name}" if name in TASKS else _place(name)
    module, _, attributes = place.partition(":")
    try:
        found = importlib.import_module(module)
        for attribute in (attributes or "TASK").split("."):
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:  # whatever the code of a task raises when it is imported
        told = " ".join(describe_error(error).split())
        raise UserError(f"the task {as_command(name)} cannot be loaded from {place}: {told}") from error
    if not isinstance(found, Task):
        kind = type(found).__name__
        wanted = "must be a tasks.harness.contract.Task"
        raise UserError(f"the task {as_command(name)} {wanted}, but in {place} it is of type {kind}")
    if found.name != name:  # its records would name another task
        raise UserError(f"the task {as_command(name)} must have the name {name!r}, but in {place} it is {found.name!r}")
    return found


def _place(name: str) -> str:
    """``module`` or ``module:attribute`` of an installed task."""
    places = sorted({entry.value for entry in installed_tasks().get(name, ())})
    if not places:
        raise UserError(f"unknown task {name!r}")
    if len(places) > 1:
        raise UserError(f"several packages name a task {as_command(name)}: {', '.join(places)}")
    return places[0]
