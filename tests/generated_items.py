"""What the tests of generated benchmarks share: all items of a family or level, and where the official files are."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.evaluation.sources.generate import SPLITS, Generated, ordered
from orchestra.types import Task

DATA = Path(__file__).parents[2] / "shared" / "data"


def everything(benchmark: Generated, family: str) -> list[Task]:
    return [task for split in SPLITS for task in ordered(benchmark.source, family, split, 0)]


def of_level(benchmark: Generated, level: int) -> list[Task]:
    return [task for family in benchmark.source.levels[level] for task in everything(benchmark, family)]


def official(*folder: str) -> Path:
    """A published file; skips the test where it is absent."""
    path = DATA.joinpath(*folder)
    if not path.exists():
        pytest.skip("the official files are not beside the repository")
    return path
