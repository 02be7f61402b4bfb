"""What all tests share: they fetch nothing."""

import urllib.request
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that ask which digits there are must not download any."""

    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise OSError("tests do not use the network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
