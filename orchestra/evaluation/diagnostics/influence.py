"""Which messages moved somebody: the share after which no reader changed its answer.

Only readers that had answered before can change; a message that nobody of that kind read is left out. That a reader
changed after reading several messages is held to each of them: this is what followed, not what caused it. What a
message caused is found by running again without it (`evaluation.contribution.replacement`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestra.credit.speech import spoken
from orchestra.evaluation.diagnostics.speech import alike, readers
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Message


class Influence(NamedTuple):
    """Of all runs together."""

    messages: int
    """Those that were read by a member that had answered before."""
    idle: int
    """Of these, those after which no such reader changed its answer."""

    @property
    def share(self) -> float | None:
        """Idle of all; None where there are none."""
        return self.idle / self.messages if self.messages else None


def influence(trajectories: Iterable[Trajectory]) -> Influence:
    """Counts over runs."""
    moved = [did for trajectory in trajectories for did in _moved(trajectory).values()]
    return Influence(len(moved), moved.count(False))


def _moved(trajectory: Trajectory) -> dict[str, bool]:
    """Message id -> whether a reader answered otherwise than before, once it had read it."""
    found: dict[str, bool] = {}
    last: dict[str, Message] = {}
    for message, read in readers(spoken(trajectory)):
        before = last.get(message.sender)
        if before is not None:
            changed = not alike(before.answer, message.answer, trajectory.task.kind)
            found |= {said.id: found.get(said.id, False) or changed for said in read}
        last[message.sender] = message
    return found
