"""The tasks by name. The package of a task is imported only when the task is loaded."""

from __future__ import annotations

import importlib

from tasks import TASKS
from tasks.harness.contract import Task


def task_names() -> tuple[str, ...]:
    """The packages of the registered tasks."""
    return TASKS


def load_task(name: str) -> Task:
    """The task of the package ``tasks.<name>``."""
    return importlib.import_module(f"tasks.{name}").TASK
