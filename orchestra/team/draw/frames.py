"""What stands in the frame of a node: the team that it is, or the one that the actors around it ask in the end."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from orchestra.engine.actor import Actor
from orchestra.engine.graph import Graph


@runtime_checkable
class Wrapper(Protocol):
    """An actor that has one other answer in its place, and stands around it in a drawing."""

    @property
    def actor(self) -> Actor: ...

    @property
    def manner(self) -> str:
        """How it asks the other, in a word or two."""
        ...


def manners(actor: Actor) -> list[str]:
    """How actors around an actor ask it, the outermost first.

    >>> from orchestra.engine import START, Edge, Node
    >>> from orchestra.team import Retry, Team, Timed
    >>> manners(Timed(Retry(Team("t", [Node("a", print)], [Edge(START, "a")])), seconds=30))
    ['within 30 s', 'retry x3']
    """
    return [actor.manner, *manners(actor.actor)] if isinstance(actor, Wrapper) else []


def framed(actor: Actor) -> Graph | None:
    """The team within, if it is one; it may be asked several times."""
    while isinstance(actor, Wrapper):
        actor = actor.actor
    return actor if isinstance(actor, Graph) else None
