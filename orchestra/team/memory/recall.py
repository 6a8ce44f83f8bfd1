"""An actor that recalls: what it remembers of the task stands before the task, for it and all within it.

Why so: every role shows its prompt, `View.memory` is the agent's own last word and `View.private` a line of the task,
so none of them need know of memory; and an actor around an actor goes wherever an agent or a team does. Notes are a
field of it, so they are saved with the team and are part of its digest, which every trajectory bears. What was recalled
is an effect, and an event on the record: the journal keeps the digest of the snapshot and what was found, so a resumed
run finds the same, and one that is resumed with other notes is refused (Drift).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from orchestra.engine.actor import Actor
from orchestra.engine.context import NOTHING, Context
from orchestra.engine.graph import START, Edge, Node
from orchestra.engine.run import name_of
from orchestra.errors import BadTeam
from orchestra.team.memory.bm25 import Scorer, bm25
from orchestra.team.memory.notes import Notes
from orchestra.team.registry import register
from orchestra.team.team import Team
from orchestra.types import FrozenMap, Reply, View

Ranker = Callable[[Sequence[str]], Scorer]
"""Makes a scorer of texts; what scores 0 or less has nothing to do with a query."""


@dataclass(frozen=True, slots=True)
class Recall:
    """An effect: notes are searched."""

    notes: str
    """Digest of the snapshot."""
    query: str
    k: int


@register("recalling")
@dataclass(frozen=True, slots=True)
class Recalling:
    """Shows an actor the notes that have most to do with the task, best first.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Recalling(generator(Scripted([])), Notes()).manner
    'recalls 3 of 0 notes'
    """

    actor: Actor
    notes: Notes
    k: int = 3
    rank: Ranker = bm25

    def __post_init__(self) -> None:
        if type(self.k) is not int or self.k < 1:
            raise BadTeam(f"recalling k={self.k!r}: expected a whole number of notes from 1")

    @property
    def name(self) -> str:
        return name_of(self.actor)

    @property
    def manner(self) -> str:
        return f"recalls {self.k} of {len(self.notes.notes):,} notes"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        found = await ctx.do(Recall(self.notes.digest, view.prompt, self.k), self._search, bound=NOTHING)
        ctx.event("tool", f"recalled {len(found)} of {len(self.notes.notes):,} notes", self._snapshot())
        lines = [self.notes.notes[i].text for i in found]
        told = "\n".join(["From memory:", *(f"- {line}" for line in lines), view.prompt]) if lines else view.prompt
        return await self.actor(replace(view, prompt=told), ctx)

    def _snapshot(self) -> FrozenMap[str, str]:
        return FrozenMap({"notes": self.notes.digest})

    async def _search(self, recalls: Sequence[Recall]) -> Sequence[list[int]]:
        score = _scorer(self.rank, self.notes)
        return [_best(score(recall.query), recall.k) for recall in recalls]


def remembering(team: Team, notes: Notes, *, k: int = 3, rank: Ranker = bm25) -> Team:
    """The team, all of whose agents are shown what the notes hold of their task."""
    return Team("remembering", [Node(team.name, Recalling(team, notes, k, rank))], [Edge(START, team.name)])


def _best(scores: Sequence[float], k: int) -> list[int]:
    """Places of the k highest scores above 0; of equal ones the latest first."""
    places = [i for i, score in enumerate(scores) if score > 0]
    return sorted(places, key=lambda i: (-scores[i], -i))[:k]


@lru_cache(maxsize=16)
def _scorer(rank: Ranker, notes: Notes) -> Scorer:
    """Made once a snapshot, which all runs share."""
    return rank([note.text for note in notes.notes])
