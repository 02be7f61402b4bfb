"""The cards of the tasks, read without importing them: importing torch takes seconds."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from tasks import TASKS


def print_cards() -> None:
    """One line for each registered task: its command, title and source."""
    for name in TASKS:
        card = read_card(name)
        print(f"{name.replace('_', '-'):20} {card['title']} ({card['source']})")


def read_card(name: str) -> dict[str, str]:
    """The title and the source in the call of ``Task(...)`` in ``tasks/<name>/__init__.py``, empty if not literal."""
    spec = find_spec(f"tasks.{name}")
    source = Path(spec.origin).read_text(encoding="utf-8") if spec is not None and spec.origin else ""
    card = {"title": "", "source": ""}
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id == "Task":
            for keyword in call.keywords:
                if keyword.arg in card and isinstance(keyword.value, ast.Constant):
                    card[keyword.arg] = str(keyword.value.value)
    return card
