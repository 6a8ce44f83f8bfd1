"""Notes: a snapshot of what a team remembers beyond a task, as a frozen value.

A run cannot write into it. What was learned from a batch of runs makes another snapshot (`learned`), for the next
batch; so runs of one batch never see each other, whatever their order, and a resumed run sees what it saw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from orchestra.digest import digest
from orchestra.team.registry import register
from orchestra.trajectory.trajectory import Trajectory

Kind = Literal["episodic", "semantic"]


@register("note")
@dataclass(frozen=True, slots=True)
class Note:
    """One thing remembered."""

    text: str
    kind: Kind = "semantic"
    """Episodic: what happened in a task; semantic: what is so."""


@register("notes")
@dataclass(frozen=True)
class Notes:
    """Things remembered, the oldest first.

    >>> notes = Notes((Note("Ann lives in Rome."),))
    >>> notes.digest == Notes((Note("Ann lives in Rome."),)).digest != Notes().digest
    True
    """

    notes: tuple[Note, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Names the snapshot by what is in it."""
        return digest(*(part for note in self.notes for part in (note.kind, note.text)))

    def __hash__(self) -> int:
        return hash(self.digest)

    def of(self, kind: Kind) -> Notes:
        """Those of one kind."""
        return Notes(tuple(note for note in self.notes if note.kind == kind))


def facts(texts: Iterable[str]) -> Notes:
    """Semantic notes, such as the lines of a document; blank ones are left out."""
    return Notes(tuple(Note(text.strip()) for text in texts if text.strip()))


def learned(
    notes: Notes, runs: Iterable[Trajectory], *, worth: Callable[[Trajectory], bool] = bool, most: int = 10_000
) -> Notes:
    """The next snapshot: an episode of each run that is worth it and has an answer; of equal ones the latest.

    Of more than `most` the oldest are forgotten. Of a tree nothing is learned: it has many answers.
    """
    told = [run for run in runs if len(run.leaves) == 1 and run.answer is not None and worth(run)]
    episodes = [Note(f"{run.task.prompt}\nAnswer: {run.answer}", "episodic") for run in told]
    kept = dict.fromkeys(reversed((*notes.notes, *episodes)))
    return Notes(tuple(reversed(kept))[-most:])
