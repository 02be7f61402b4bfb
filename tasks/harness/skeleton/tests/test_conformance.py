"""The task keeps the contract of all tasks; ``nalu check my-task`` runs the same tests."""

import pytest

from my_task import TASK
from tasks.harness import contract
from tasks.harness.conformance import *  # noqa: F403  # the tests, each with the fixture below


@pytest.fixture
def task() -> contract.Task:
    """The task that the conformance tests check."""
    return TASK
