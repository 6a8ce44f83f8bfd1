"""Another attempt after a failure, with full jitter: the n-th pause, counted from 0, is uniform in [0, min(longest,
base * 2**n)), since callers who fail together must not come back together (Brooker, AWS Architecture Blog, 2015).

A pause is drawn from the activation's own generator and kept in the journal, so a resumed run neither waits nor draws
again. The first attempt runs in the activation itself: a team keeps the names of its effects when it is given a Retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from orchestra.engine.actor import Actor
from orchestra.engine.context import NOTHING, Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.errors import BadTeam
from orchestra.team.actors.around import answerable, bound_of, line, nested, speaker_of
from orchestra.team.registry import register
from orchestra.types import Reply, Usage, View

MOST = 100
"""Attempts that are accepted."""


@dataclass(frozen=True, slots=True)
class Pause:
    """An effect: time passes."""

    seconds: float


@register("retry")
@dataclass(frozen=True, slots=True)
class Retry:
    """Asks an actor again when it failed; raises its last failure. With one attempt it is that actor.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Retry(generator(Scripted([])), attempts=5).manner
    'retry x5'
    """

    actor: Actor
    attempts: int = 3
    """In all, from 1."""
    base: float = 0.5
    """Seconds that the first pause is shorter than."""
    longest: float = 8.0
    """Seconds that any pause is shorter than."""

    def __post_init__(self) -> None:
        if type(self.attempts) is not int or not 1 <= self.attempts <= MOST:
            raise BadTeam(f"retry attempts={self.attempts!r}: expected a whole number from 1 to {MOST}")
        if not (0 <= self.base < inf and 0 <= self.longest < inf):
            raise BadTeam(f"retry base={self.base!r}, longest={self.longest!r}: expected finite seconds from 0")

    @property
    def name(self) -> str:
        return name_of(self.actor)

    @property
    def manner(self) -> str:
        return f"retry x{self.attempts}"

    def bound(self, view: View) -> Usage | None:
        """Every attempt is made, and spends all that it may."""
        worst = bound_of(self.actor, view)
        return None if worst is None else sum([worst] * self.attempts, Usage())

    def speaker(self) -> Speaker:
        return speaker_of(self.actor)

    async def __call__(self, view: View, ctx: Context) -> Reply:
        for attempt in range(1, self.attempts):
            try:
                return await self._try(attempt, view, ctx)
            except Exception as failure:
                if not answerable(failure):
                    raise
                ctx.event("failure", f"attempt {attempt} of {self.attempts}: {line(failure)}")
            await self._pause(ctx, attempt - 1)
        return await self._try(self.attempts, view, ctx)

    async def _try(self, attempt: int, view: View, ctx: Context) -> Reply:
        if attempt == 1:
            return await self.actor(view, ctx)
        return await nested(self.actor, view, ctx, f"try#{attempt}")

    async def _pause(self, ctx: Context, number: int) -> None:
        cap = min(self.longest, self.base * 2.0**number)
        await ctx.do(Pause(cap * ctx.rng().random()), _sleep, bound=NOTHING)


async def _sleep(pauses: Sequence[Pause]) -> Sequence[float]:
    for pause in pauses:
        await asyncio.sleep(pause.seconds)
    return [pause.seconds for pause in pauses]
