"""Tasks that are told to several seats: for each level one fixed pool, split by content and put in order by a seed.

As `generate` beside it, for tasks with private lines, whose difficulty is no matter of the family alone.
Invariants: draw i of a pool is made from a digest of (benchmark, level, i), never from `seed + i`; no task is in a pool
twice; what a task hinges on, its crux, decides its split, so no level, seed or distractor carries a test question into
training; a short sample is the beginning of a longer one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from orchestra.digest import digest
from orchestra.errors import BadInput, UnknownName
from orchestra.evaluation.benchmark import content_hash
from orchestra.evaluation.sources.generate import SPLITS, Dice, split_of
from orchestra.types import Task

LEVELS: Final = range(5)
DRAWS: Final = 4000
"""Of each pool, before what was drawn twice is dropped."""


class Draft(NamedTuple):
    """A drawn task that has neither id nor split yet."""

    task: Task
    crux: tuple[str, ...]
    """The question and the evidence it needs, without what only distracts."""


class Drawer(Protocol):
    """A benchmark whose tasks are drawn."""

    def __hash__(self) -> int:
        """Pools are kept."""
        ...

    @property
    def name(self) -> str:
        """With the family after a colon, if it has one."""
        ...

    def draft(self, level: int, dice: Dice) -> Draft:
        """One task of a level, a function of the arguments alone."""
        ...


def sample(drawer: Drawer, n: int, *, split: str, seed: int, level: int) -> Sequence[Task]:
    """n tasks of a split in the order of a seed: what `Benchmark.sample` promises."""
    if level not in LEVELS:
        raise BadInput(
            f"expected a level from 0 to {len(LEVELS) - 1}, got {level!r}; fix: see the table of {drawer.name}"
        )
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    tasks = pool(drawer, level)[split]
    if not 0 <= n <= len(tasks):
        where = f"{drawer.name}, split {split!r}, level {level}"
        raise BadInput(
            f"expected 0 to {len(tasks)} tasks ({where} holds {len(tasks)}), got n = {n!r}; fix: a smaller n"
        )
    return sorted(tasks, key=lambda task: digest(str(seed), task.id))[:n]


@lru_cache(maxsize=32)
def pool(drawer: Drawer, level: int) -> Mapping[str, tuple[Task, ...]]:
    """Split -> its tasks, in the order in which they were drawn."""
    found: dict[str, list[Task]] = {split: [] for split in SPLITS}
    met = set[str]()
    for number in range(DRAWS):
        draft = drawer.draft(level, Dice("draw", drawer.name, str(level), str(number)))
        content = content_hash(draft.task)
        if content not in met:
            met.add(content)
            split = split_of(*draft.crux)
            name = drawer.name.partition(":")[0]
            found[split].append(replace(draft.task, id=f"{name}/{split}/{content[:12]}", split=split))
    return {split: tuple(tasks) for split, tasks in found.items()}
