"""What actors around actors share: a call one level down, which failures they may answer for, a worst case passed on.

An actor around another is `Bounded` whatever it holds: where the worst case of what it holds is not known, neither is
its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from orchestra.engine.actor import Actor, Bounded
from orchestra.engine.budget import Budget
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.errors import CallFailed, OrchestraError, Unparseable
from orchestra.types import Reply, Usage, View


def bound_of(actor: Actor, view: View) -> Usage | None:
    """The worst case of one activation; None: not known."""
    return actor.bound(view) if isinstance(actor, Bounded) else None


def speaker_of(actor: Actor) -> Speaker:
    """Who makes all calls of an actor whose worst case is known; TypeError for one that cannot say."""
    if not isinstance(actor, Bounded):
        raise TypeError(f"{actor!r} cannot say who makes its calls; fix: ask only where its worst case is known")
    return actor.speaker()


def answerable(failure: Exception) -> bool:
    """Whether another attempt may follow: after a failed call, a reply without form and whatever a user's actor raises,
    never after bad input, a spent budget, drift, damage or a question that waits.
    """
    return not isinstance(failure, OrchestraError) or isinstance(failure, (CallFailed, Unparseable))


def line(failure: Exception) -> str:
    """A failure as one line."""
    return " ".join(f"{type(failure).__name__}: {failure}".split())


async def nested(actor: Actor, view: View, ctx: Context, name: str, *, budget: Budget | None = None) -> Reply:
    """Calls an actor on a child context, so that all within gets names of its own.

    A team that ran in `ctx` itself has names for its nodes there: a name with `#`, which no node has, is none of them.
    How a team within ended is how `ctx` ended, save where it ran into the `budget` that is given here: any other that
    is spent ends the teams above as well.
    """
    inner = ctx.child(name, budget=budget)
    reply = await actor(view, inner)
    own = inner.cap is not None and inner.cap.below(ctx.ledger)
    if budget is None or (inner.stopped_by == "budget" and not own):
        ctx.stopped_by, ctx.rounds, ctx.cap = inner.stopped_by, inner.rounds, inner.cap
    return reply


@dataclass(frozen=True, slots=True)
class ChangedView(ABC):
    """An actor that sees something else than what reaches its node; a subclass says what."""

    actor: Actor

    @abstractmethod
    def sees(self, view: View) -> View:
        """What the actor is shown of a view."""

    @property
    def name(self) -> str:
        return name_of(self.actor)

    def bound(self, view: View) -> Usage | None:
        return bound_of(self.actor, self.sees(view))

    def speaker(self) -> Speaker:
        return speaker_of(self.actor)

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return await self.actor(self.sees(view), ctx)
