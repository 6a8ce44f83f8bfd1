"""A service for every test that asks for one, and a leftover check: tasks, sockets and warnings end with their test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from orchestra.models.remote.key import GENERAL, OWN
from tests.models.remote.service import Service


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (OWN, GENERAL, "ORCHESTRA_PRICES", "ORCHESTRA_GRAMMAR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service
    gc.collect()  # a socket that was left open warns when it is collected, and warnings are errors
