"""Navigation by what is not known: an agent with a list of facts that it needs, each open until its value is told
(InfoNav of iAgents, arXiv 2406.14928).

The list is the agent's memory and stays with it. Whatever the agent says, its message asks for the facts that are open,
so that no turn is lost on what is known already; and as long as one is open its answer does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestra.engine.context import Context
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.types import EMPTY, FrozenMap, Message, Reply, View

MOST: Final = 12
"""Facts of one list; what is marked beyond is left out."""


@dataclass(frozen=True, slots=True)
class Move:
    """What an agent says in a turn: the typed output of its role."""

    said: str
    marked: tuple[str, ...] = ()
    """Names of facts that it needs."""
    filled: FrozenMap[str, str] = EMPTY
    """Name of a fact -> its value. Names that are on no list count for nothing."""
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that an agent needs to know."""

    name: str
    value: str = ""
    """Empty: it is open."""
    asked: int = 0
    """How many turns have asked for it."""


Facts = tuple[Fact, ...]


def moved(facts: Facts, move: Move) -> Facts:
    """The list after a turn: what was marked is on it, and what was filled has its value, the last one told.

    >>> moved((Fact("hour"),), Move("", marked=("day",), filled=FrozenMap({"Hour": "9"})))
    (Fact(name='hour', value='9', asked=0), Fact(name='day', value='', asked=0))
    """
    names = {folded(fact.name) for fact in facts}
    new = {folded(name): Fact(name) for name in move.marked if folded(name) not in names}
    values = {folded(name): value for name, value in move.filled.items() if value}
    listed = [*facts, *new.values()][:MOST]
    return tuple(replace(fact, value=values.get(folded(fact.name), fact.value)) for fact in listed)


def merged(lists: Sequence[Facts]) -> Facts:
    """Every fact of several lists once; of two values both.

    >>> merged([(Fact("hour", "9"), Fact("day")), (Fact("Day", "Monday"), Fact("hour", "10"))])
    (Fact(name='hour', value='9 or 10', asked=0), Fact(name='day', value='Monday', asked=0))
    """
    names: dict[str, str] = {}
    values: dict[str, dict[str, None]] = {}
    for fact in (fact for facts in lists for fact in facts):
        names.setdefault(folded(fact.name), fact.name)
        values.setdefault(folded(fact.name), {}).update({fact.value: None} if fact.value else {})
    return tuple(Fact(name, " or ".join(values[key])) for key, name in names.items())


def folded(name: str) -> str:
    """What makes two names the same: their words, not their case and blanks."""
    return " ".join(name.casefold().split())


@register("at_home")
def at_home(message: Message) -> Message:
    """A message without its typed output: the list that it was said from."""
    return replace(message, parsed=None)


@register("navigator")
@dataclass(frozen=True, slots=True)
class Navigator:
    """An agent that keeps a list of facts, and asks its partner for those that are open.

    What its partner was asked for in an earlier turn and did not tell, third parties are asked for as well.
    """

    agent: Agent
    """Its role's output is a Move; its prompt sees the Facts as `memory`."""
    partner: str
    others: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.agent.name

    @property
    def manner(self) -> str:
        return "asks for what is not known"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        facts: Facts = view.memory or ()
        said = await self.agent(replace(view, memory=facts), ctx)
        move = said.parsed if isinstance(said.parsed, Move) else Move(said.content)
        facts = moved(facts, move)
        still = [fact.name for fact in facts if not fact.value]
        stale = [fact.name for fact in facts if not fact.value and fact.asked]
        facts = tuple(replace(fact, asked=fact.asked + (not fact.value)) for fact in facts)
        sends = {self.partner: _asking(move.said, still)}
        sends |= {other: _asking("", stale) for other in self.others if stale}
        return Reply(move.said, None if still else move.answer, facts, sends=sends, memory=facts)


def _asking(said: str, facts: Sequence[str]) -> str:
    return "\n".join(filter(None, [said, f"I need to know: {'; '.join(facts)}." if facts else ""]))
