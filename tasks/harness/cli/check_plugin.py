"""A plugin of pytest: its option ``--task`` names the task that the conformance tests check."""

from __future__ import annotations

from typing import Any

from tasks.harness.registry import load_task


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    parser.addoption("--task", required=True)


def pytest_generate_tests(metafunc: Any) -> None:
    """Give every test the task."""
    name = metafunc.config.getoption("--task")
    metafunc.parametrize("task", [load_task(name)], ids=[name])
