"""What every topology of the shelf must come to under the noisy oracle: a file a topology, its rows in `ROWS`.

A row builds a team of `Noisy` models, says what accuracy, calls and tokens it must come to, and builds the same agents
wired wrongly, which must not come to that. What it must come to is a closed form, or a simulation in plain numpy; it
shares no code with the team. `tests/topologies/test_closed_forms.py` runs all rows, `scripts/topologies.py` prints
them.

To add a topology: write `tests/closed_forms/NAME.py` with `ROWS = (Row(...), ...)`; it is found by its name. Words
count as tokens: a prompt of `problems` is 2 words, an answer "Answer: 7000010" is 2.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from orchestra.contracts.figures import Figures
from orchestra.models.noisy import Answers
from orchestra.team import Team


class Row(NamedTuple):
    """One setting of a topology."""

    topology: str
    setting: str
    """In words, for people."""
    team: Callable[[Answers], Team]
    expected: Callable[[], Figures]
    control: Callable[[Answers], Team]
    """The same agents, wired wrongly."""
    wrong: int = 3
    """Wrong answers a task."""


def rows() -> list[Row]:
    """All of them, in the order of their files."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem[0] != "_")
    return [row for name in names for row in import_module(f"{__name__}.{name}").ROWS]
