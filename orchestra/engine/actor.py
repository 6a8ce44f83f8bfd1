"""The one calling type: agent, team, tool, router, world, person: `async (View, Context) -> Reply`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, runtime_checkable

from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.types import Reply, Usage, View


class Actor(Protocol):
    """Answers a View. Frozen and without state of its own: whatever it keeps is in `Reply.memory`."""

    def __call__(self, view: View, ctx: Context) -> Awaitable[Reply]: ...


@runtime_checkable
class Bounded(Protocol):
    """An actor that may know its worst case beforehand; under a budget only one that does may run ahead."""

    def bound(self, view: View) -> Usage | None:
        """Of one activation; None: not known."""
        ...

    def speaker(self) -> Speaker:
        """Who makes all its calls, where its worst case is known; a budget may cap its role."""
        ...
