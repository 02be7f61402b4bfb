"""Fixtures of all tests."""

import urllib.request
from typing import NoReturn

import pytest

pytest.register_assert_rewrite("tasks.harness.conformance")  # so that a failure there shows its values


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse downloads: a test that looks for MNIST must not fetch it."""

    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise OSError("tests do not use the network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
