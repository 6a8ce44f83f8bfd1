"""A workspace: facts that a scribe writes down, each once, and actors that are told them (Sibyl, arXiv 2407.10718).

What was said is gone; what is known stays. So prompts grow with the facts, and steps need no memory of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestra.engine.actor import Actor
from orchestra.engine.context import Context
from orchestra.engine.run import name_of
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.types import Reply, View


@register("workspace")
@dataclass(frozen=True, slots=True)
class Workspace:
    """Facts in order, each once; what its scribe lists of the last message and it lacks is added."""

    scribe: Agent
    """Its role's output is a sequence of texts; its prompt sees the facts as `memory`."""

    async def __call__(self, view: View, ctx: Context) -> Reply:
        facts: tuple[str, ...] = view.memory or ()
        said = await self.scribe(replace(view, memory=facts), ctx)
        known = {_folded(fact): fact for fact in facts}
        for fact in said.parsed or ():
            known.setdefault(_folded(fact), fact)
        kept = tuple(known.values())
        return Reply("\n".join(kept), parsed=kept, memory=kept, stop=None if len(kept) > len(facts) else "nothing new")


def _folded(fact: str) -> str:
    """What makes two facts the same: their words, not their case, blanks and full stop."""
    return " ".join(fact.casefold().split()).rstrip(".")


@register("informed")
@dataclass(frozen=True, slots=True)
class Informed:
    """An actor that is told the last message as part of its task, so that all within know it in every round."""

    actor: Actor

    @property
    def name(self) -> str:
        return name_of(self.actor)

    @property
    def manner(self) -> str:
        return "told what is known"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        known = view.inbox[-1].content if view.inbox else ""
        told = f"{view.prompt}\nKnown:\n{known}" if known else view.prompt
        return await self.actor(replace(view, prompt=told, inbox=()), ctx)
