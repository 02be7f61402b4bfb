"""The tasks by name. Packages are imported only when asked for."""

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
