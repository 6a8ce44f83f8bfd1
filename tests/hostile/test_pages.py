"""Pages that name tests keep their word: every one of these exists and is collected."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEFECTS, REINFORCEMENT = (ROOT / "docs" / f"{name}.md" for name in ("defects", "reinforcement"))
TEST = re.compile(r"`(tests/(?:\w+/)*test_\w+\.py::test_\w+)`")


class Row(NamedTuple):
    """One defect."""

    system: str
    defect: str
    harm: str
    tests: list[str]


def rows(page: str) -> list[Row]:
    """The rows of the table, without its head."""
    lines = [line.strip().strip("|").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [Row(line[0].strip(), line[1].strip(), line[2].strip(), TEST.findall(line[3])) for line in lines[1:]]


def lost(tests: list[str]) -> list[str]:
    """Those that pytest does not collect; parameters do not matter."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", *files(tests)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    found = {line.partition("[")[0] for line in done.stdout.splitlines()}
    return [test for test in tests if test not in found]


def files(tests: list[str]) -> list[str]:
    return sorted({test.partition("::")[0] for test in tests})


ROWS = rows(DEFECTS.read_text(encoding="utf-8"))


def test_every_row_is_whole() -> None:
    assert len(ROWS) >= 30
    for row in ROWS:
        assert all([row.system, row.defect, row.harm, row.tests]), row
    assert len({row.defect for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("page", [DEFECTS, REINFORCEMENT], ids=lambda page: page.stem)
def test_every_test_it_names_is_collected(page: Path) -> None:
    named = TEST.findall(page.read_text(encoding="utf-8"))
    assert len(named) >= 30
    assert lost(named) == []


@pytest.mark.parametrize("name", ["tests/test_tiny.py::test_no_such_thing", "tests/hostile/test_none.py::test_calls"])
def test_control_a_test_that_does_not_exist_is_missed(name: str) -> None:
    assert lost([name]) == [name]
