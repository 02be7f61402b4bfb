"""Every registered task keeps the contract. Registering a new task is enough to have it tested."""

import itertools

import pytest

from tasks.harness.conformance import *  # noqa: F403  # the tests, each with the fixture below
from tasks.harness.contract import Task
from tasks.harness.registry import load_task, task_names
from tests.helpers import ROOT

FILES = ("__init__.py", "__main__.py", "train.py", "sweep.py", "published.py", "results.py", "README.md")
"""The files of every task."""
OR_A_PACKAGE = {"data.py": "world", "model.py": "agent"}
"""Files of every task with the package that a reinforcement-learning task has instead."""


@pytest.fixture(params=task_names())
def task(request: pytest.FixtureRequest) -> Task:
    return load_task(request.param)


def test_files(task: Task) -> None:
    folder = ROOT / "tasks" / task.name
    missing = {name for name in FILES if not (folder / name).is_file()}
    missing |= {
        name
        for name, package in OR_A_PACKAGE.items()
        if not (folder / name).is_file() and not (folder / package / "__init__.py").is_file()
    }
    assert not missing


def test_registry_is_complete() -> None:
    folders = {path.parent.name for path in (ROOT / "tasks").glob("*/train.py")}
    assert folders == set(task_names())
    directories = [
        (name, config.label(), str(config.to_dict()))
        for name in task_names()
        for config in itertools.chain(*load_task(name).sweep.values())
    ]
    assert len(directories) == len(set(directories)), "no setting is run twice"
