"""What actors around actors share: a call one level down, which failures they may answer for, a worst case passed on.

The engine takes an actor for `Bounded` by its methods, so one that wraps another has them only where the other has. It
comes in two classes then, and the function that makes it takes the right one.
"""

from __future__ import annotations

from typing import Protocol

from orchestra.engine.actor import Actor, Bounded
from orchestra.engine.budget import Budget
from orchestra.engine.context import Context
from orchestra.errors import BadTeam, CallFailed, OrchestraError, Unparseable
from orchestra.types import Reply, View


class BoundedActor(Actor, Bounded, Protocol):
    """An actor whose worst case is known."""


def check_bounded(actor: Actor, title: str) -> None:
    """Raises BadTeam for an actor without a worst case, which only a saved team that was edited can bring here."""
    if not isinstance(actor, Bounded):
        raise BadTeam(f"bounded_{title}: expected an actor whose worst case is known, got {actor!r}; fix: use {title}")


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

    Where both share a cap, how a team within ended is how `ctx` ended: a spent budget ends the teams above as well.
    """
    inner = ctx.child(name, budget=budget)
    reply = await actor(view, inner)
    if budget is None:
        ctx.stopped_by, ctx.rounds = inner.stopped_by, inner.rounds
    return reply
