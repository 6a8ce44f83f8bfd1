"""An asker puts questions to experts by name, one at a time, until it answers; an expert hears its question alone.

What was asked and what came back is the asker's memory, so runs side by side share nothing. A question that names no
expert reaches nobody: it counts like any other, and the asker is told whom it could have asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from orchestra.engine.context import Context
from orchestra.team.actors.around import ChangedView
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.types import Message, Reply, View


class Exchange(NamedTuple):
    """A question, and what came back."""

    expert: str
    """Empty: the question named nobody."""
    question: str
    reply: str = ""
    """Empty: none has come."""


class Inquiry(NamedTuple):
    """What an asker knows: its memory, which its prompt sees as `memory`."""

    experts: tuple[str, ...]
    left: int
    """Questions that it may still ask."""
    told: tuple[Message, ...] = ()
    """What its team heard, which it sees in every round."""
    exchanges: tuple[Exchange, ...] = ()

    def after(self, exchange: Exchange) -> Inquiry:
        return self._replace(left=self.left - 1, exchanges=(*self.exchanges, exchange))


@register("asker")
@dataclass(frozen=True, slots=True)
class Asker:
    """An agent that asks an expert with a line `NAME: question`, of several with the first, or answers.

    A reply that asks is no answer, whatever its role reads in it; with no question left it is asked a last time, and
    asks nobody. It needs an edge to itself of the next round, and hears of a question there even if its expert fails.
    """

    agent: Agent
    """Its prompt sees the Inquiry as `memory`."""
    experts: tuple[str, ...]
    """Names of nodes."""
    calls: int
    """Questions at most."""

    @property
    def name(self) -> str:
        return self.agent.name

    @property
    def manner(self) -> str:
        return f"asks up to {self.calls} questions"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        known = self._known(view)
        said = await self.agent(replace(view, inbox=known.told, memory=known), ctx)
        exchange = addressed(said.content, self.experts)
        if said.answer is not None and not (exchange.expert and known.left):
            return replace(said, sends={}, memory=known, stop="answered")
        if not known.left:
            return replace(said, sends={}, memory=known)
        if not exchange.expert:
            ctx.flag(exchange.reply)
        sends = dict.fromkeys(filter(None, [exchange.expert, view.seat]), exchange.question)
        return replace(said, answer=None, sends=sends, memory=known.after(exchange))

    def _known(self, view: View) -> Inquiry:
        """The memory, with the reply that has just come."""
        known: Inquiry = view.memory or Inquiry(self.experts, self.calls, view.inbox)
        if not known.exchanges:
            return known
        *before, last = known.exchanges
        came = next((message.content for message in view.inbox if message.sender == last.expert), last.reply)
        return known._replace(exchanges=(*before, last._replace(reply=came)))


def addressed(said: str, experts: Sequence[str]) -> Exchange:
    """The first line that begins with an expert's name, whatever its case, and a colon; else who could have been asked.

    >>> addressed("I need a name.\\nAda: Who directed it?", ["ada", "bob"])
    Exchange(expert='ada', question='Who directed it?', reply='')
    >>> addressed("eve: Who?", ["ada", "bob"]).reply
    "nobody was asked; expected 'NAME: question' with one of ada, bob"
    """
    known = {expert.casefold(): expert for expert in experts}
    for line in said.splitlines():
        name, _, question = line.partition(":")
        expert = known.get(name.strip().casefold())
        if expert is not None and question.strip():
            return Exchange(expert, question.strip())
    return Exchange("", said, f"nobody was asked; expected 'NAME: question' with one of {', '.join(experts)}")


@register("asked")
@dataclass(frozen=True, slots=True)
class Asked(ChangedView):
    """An actor whose task is what it is asked: its team's own prompt it does not see.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import informant
    >>> Asked(informant(Scripted([]), name="ada")).name
    'ada'
    """

    @property
    def manner(self) -> str:
        return "hears its question alone"

    def sees(self, view: View) -> View:
        return replace(view, prompt="\n".join(message.content for message in view.inbox), inbox=())
