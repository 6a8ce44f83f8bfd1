"""Rows made by hand that share beginnings, as siblings of a tree do."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import strategies as st

from orchestra.learning import Row
from orchestra.learning.packing import Weighed
from orchestra.learning.row import IGNORED
from orchestra.types import Key


def row(prompt: Sequence[int], said: Sequence[int], *, run: str = "run", name: str = "k") -> Row:
    """A row that labels what was said."""
    labels = (*[IGNORED] * len(prompt), *said)
    return Row(run, Key(name), "solver", "solver", "task", (*prompt, *said), labels)


def siblings(seed: int, prompts: int = 4, draws: int = 3) -> list[Row]:
    """Replies to prompts that begin alike; each reply ends with the prompt's last token and the end of turn."""
    random, rows = Random(seed), []
    common = [random.randrange(60, 90) for _ in range(6)]
    for number in range(prompts):
        prompt = [*common, *(random.randrange(60, 90) for _ in range(random.randrange(2, 6)))]
        for draw in range(draws):
            said = [*(random.randrange(60, 90) for _ in range(draw)), prompt[-1], 2]
            rows.append(row(prompt, said, run=f"run{number}", name=f"{number}.{draw}"))
    return rows


@st.composite
def weighed_rows(draw: st.DrawFn) -> list[Weighed]:
    """Rows over few tokens, so that they share beginnings, with labels anywhere after the first token."""
    made = []
    for number in range(draw(st.integers(1, 6))):
        ids = draw(st.lists(st.integers(3, 5), min_size=2, max_size=9))
        labels = [IGNORED, *(draw(st.sampled_from((IGNORED, each))) for each in ids[1:])]
        where = draw(st.integers(1, len(ids) - 1))
        labels[where] = ids[where]
        one = Row("run", Key(str(number)), "r", "p", "t", tuple(ids), tuple(labels))
        made.append(Weighed(one, draw(st.sampled_from((0.0, 0.5, 1.0, 2.0)))))
    return made
