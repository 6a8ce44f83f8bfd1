"""A run that trusts nothing but its journal: after every effect all state is thrown away and rebuilt from it.

Slow, and that is the point: what survives this survives a crash after any effect. Temporal's and Restate's tests do the
same, by a cache of no workflows and by `always_replay`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from orchestra.engine.door import Call, Fetch, Via, journaled, perform
from orchestra.errors import CallFailed
from orchestra.trajectory.journal import Journal

T = TypeVar("T")


async def rebuilt(attempt: Callable[[Fetch], Coroutine[Any, Any, T]], journal: Journal) -> T:
    """The outcome of the first attempt that the journal answers in full; every other one adds one batch of effects."""
    while True:
        stepped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running = asyncio.ensure_future(attempt(_one_step(journal, stepped)))
        try:
            either: tuple[asyncio.Future[Any], ...] = (running, stepped)
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _one_step(journal: Journal, stepped: asyncio.Future[None]) -> Fetch:
    """Answers from the journal; whoever had to perform something never comes back, and `stepped` is set."""

    async def fetch(pairs: Sequence[tuple[Call, int]], via: Via) -> Sequence[Any]:
        performed = False

        async def noted(missing: Sequence[tuple[Call, int]], via: Via) -> Sequence[Any]:
            nonlocal performed
            performed = True
            return await perform(missing, via)

        try:
            outcomes = await journaled(journal, noted)(pairs, via)
        except CallFailed:
            if not performed:
                raise
            outcomes = ()
        if performed:
            if not stepped.done():
                stepped.set_result(None)
            await asyncio.Event().wait()  # until this attempt is cancelled
        return outcomes

    return fetch
