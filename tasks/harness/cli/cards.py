"""The cards of the tasks. The project's own are read without importing them: importing torch takes seconds."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import tasks
from tasks.harness.cli.static_imports import binds, broken_imports
from tasks.harness.errors import UserError
from tasks.harness.registry import as_command, installed_tasks, load_task, task_names


def print_cards() -> None:
    """One line for each task: its command, title and source. A task that cannot be loaded has one on stderr."""
    problems = []
    for name in task_names():
        card, problem = read_card(name), find_problem(name)
        problems += [problem] if problem else []
        if not problem:
            print(f"{as_command(name):20} {card['title']} ({card['source']})")
    for name in installed_tasks():
        from tasks.harness.cli.commands import COMMANDS  # imports torch, as these tasks do

        try:
            task = load_task(name)
            if task.command in COMMANDS:
                raise UserError(f"the task {task.command} has the name of a command")
            print(f"{task.command:20} {task.title} ({task.source})")
        except UserError as error:
            problems.append(str(error))
    sys.stdout.flush()
    for problem in problems:
        print(f"not available: {problem}", file=sys.stderr)


def read_card(name: str) -> dict[str, str]:
    """The title and the source in the call of ``Task(...)`` in ``tasks/<name>/__init__.py``, empty if not literal."""
    card = {"title": "", "source": ""}
    for call in (node for node in ast.walk(_tree(name)) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id == "Task":
            for keyword in call.keywords:
                if keyword.arg in card and isinstance(keyword.value, ast.Constant):
                    card[keyword.arg] = str(keyword.value.value)
    return card


def find_problem(name: str) -> str | None:
    """Why one of the project's own tasks cannot be loaded, in one line; None if nothing wrong is found.

    Its imports and the kind of its ``TASK`` are checked without importing it.
    """
    what = f"the task {as_command(name)}"
    for problem in broken_imports(f"tasks.{name}"):
        return f"{what} cannot be loaded: {problem}"
    if not binds(f"tasks.{name}", "TASK"):
        return f"{what} cannot be loaded: tasks.{name} has no TASK"
    for node in (node for node in _tree(name).body if isinstance(node, ast.Assign)):
        if isinstance(node.value, ast.Constant) and "TASK" in map(ast.unparse, node.targets):
            return f"{what} must be a tasks.harness.contract.Task, but TASK is {node.value.value!r}"
    return None


def _tree(name: str) -> ast.Module:
    """The syntax tree of a task's ``__init__.py``, empty if it has none."""
    path = Path(tasks.__file__).with_name(name) / "__init__.py"
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])
