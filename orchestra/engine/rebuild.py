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
    """The outcome of the first attempt that the journal answers in full. Every other one adds what was under way
    together, and ends; so nothing that was performed is performed again, save what a signal from outside cut short.
    """
    while True:
        step = _Step(journal)
        running = asyncio.ensure_future(attempt(step.fetch))
        try:
            either: tuple[asyncio.Future[Any], ...] = (running, step.taken)
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class _Step:
    """One attempt's door: it answers from the journal; whoever had to perform something never comes back."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once something was performed and nothing is under way."""
        self._added = False
        self._under_way = 0

    def _end(self, *, at_once: bool = False) -> None:
        if self._added and (at_once or not self._under_way) and not self.taken.done():
            self.taken.set_result(None)

    async def fetch(self, pairs: Sequence[tuple[Call, int]], via: Via) -> Sequence[Any]:
        performed = False
        waits = any(getattr(call.effect, "passive", False) for call, _ in pairs)  # for another, so none waits for it

        async def noted(missing: Sequence[tuple[Call, int]], via: Via) -> Sequence[Any]:
            nonlocal performed
            performed = True
            self._under_way += not waits
            try:
                outcomes = await perform(missing, via)
                self._added = True
                return outcomes
            except CallFailed:
                self._added = True
                raise
            finally:
                self._under_way -= not waits
                self._end()  # also after a question or a squashed call: others that are done wait for this one

        try:
            outcomes = await journaled(self.journal, noted)(pairs, via)
        except CallFailed:
            if not performed:
                raise
            outcomes = ()
        if performed:
            self._end(at_once=waits)
            await asyncio.Event().wait()  # until this attempt is cancelled
        return outcomes
