"""What holds for every test: no network hub, few threads, derandomised properties, and `test_tiny.py` first."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Before any test imports a library that reads these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve a busy machine
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))

import pytest
from hypothesis import settings

from orchestra.engine.run import run

# A shell that starts the tests in the background has them ignore what Ctrl-C sends, and some tests are about that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: a test that is timed by the clock fails on a busy machine. The same examples on every run.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """`--doctest-modules` would import what tests share a second time, under another name."""
    return True if collection_path.suffix == ".py" and not collection_path.name.startswith("test_") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name != "test_tiny.py")  # stable: the others keep their order


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the engine does."""
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--always-replay", action="store_true", help="rebuild every run from its journal after every effect"
    )


@pytest.fixture(autouse=True)
def _always_replay(request: pytest.FixtureRequest) -> Iterator[None]:
    """With --always-replay what a test runs knows nothing but its journal, wherever the run is started."""
    if not request.config.getoption("--always-replay"):
        yield
        return
    if request.node.get_closest_marker("live"):
        pytest.skip("a run that is rebuilt after every effect shows nothing on its way")
    assert run.__kwdefaults__ is not None
    run.__kwdefaults__["rebuild"] = True
    yield
    run.__kwdefaults__["rebuild"] = False
