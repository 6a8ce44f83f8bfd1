"""A team run under both schedules and from its journal, which must tell one story."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from orchestra.engine import Context
from orchestra.team import Team
from orchestra.trajectory.journal import MemoryJournal
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Reply, View

TASK = "What is 34 + 57?"


def both(make: Callable[[], Team], task: str = TASK, **options: Any) -> Trajectory:
    """The trajectory of a team of its own models: the same under both schedules and when it is resumed from a journal
    of all its effects, and not a failed one."""
    plain = asyncio.run(make().run(task, **options))
    eager = asyncio.run(make().run(task, schedule="speculative", **options))
    assert replace(eager, waste=plain.waste) == plain
    journal = MemoryJournal()
    for _ in range(2):
        assert asyncio.run(make().run(task, journal=journal, **options)) == plain
    return plain


def words(result: Trajectory, name: str) -> list[str]:
    """What a node said, round by round."""
    return [message.content for message in result.messages if message.sender == name]


@dataclass(frozen=True)
class Sends:
    """An actor that hands off as it is told, whatever its edges are."""

    sends: tuple[tuple[Any, Any], ...]

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return Reply("mine", "7", sends=dict(self.sends))
