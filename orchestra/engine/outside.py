"""What a stop waits for from outside: time that passes, a signal of a person or a program.

Between two commits the activation that is due races with them. Who won is an effect in the journal, so a resumed run
stops in the same place; and what is under way when a signal comes is cancelled, not awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

from orchestra.engine.context import NOTHING, Context
from orchestra.engine.stops import Wait

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Race:
    """An effect: the activation that is due, against these."""

    waits: tuple[Wait, ...]
    passive: ClassVar[bool] = True
    """It ends when another effect does."""


class Heard(NamedTuple):
    """How a race went."""

    names: Sequence[str]
    """Of those that came first; none: the activation did."""
    elapsed: float
    """Seconds that the team has run, time between a crash and its resume not counted."""


class Outside:
    """The races of one team run."""

    def __init__(self, waits: Sequence[Wait], ctx: Context) -> None:
        self._waits = list(waits)
        # A door of its own, beside those of the activations that run ahead meanwhile.
        self._ctx = Context(ctx.scope, f"{ctx.path}/(outside)", ctx.round, ctx.past)
        self._elapsed = 0.0
        self._since = asyncio.get_running_loop().time()

    async def race(self, work: Coroutine[Any, Any, T], heard: Callable[[Sequence[str]], bool]) -> T | None:
        """The outcome of `work`; None if something came before it that `heard` says ends the team."""
        task = asyncio.ensure_future(work)
        try:
            while self._waits:
                came = Heard(*await self._ctx.do(Race(tuple(self._waits)), self._raced(task), bound=NOTHING))
                self._elapsed, self._since = came.elapsed, asyncio.get_running_loop().time()
                if not came.names:
                    break
                self._waits = [wait for wait in self._waits if wait.name not in came.names]
                if heard(came.names):
                    return None
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def follow(self, past: str) -> None:
        """What comes next is named by these draws too: another branch of a tree, or a fork, has races of its own."""
        self._ctx.absorb([past])

    async def bounded(self, work: Coroutine[Any, Any, None]) -> None:
        """Returns once `work` is done or something came before it; no effect, since nothing hangs on which it was."""
        task = asyncio.ensure_future(work)
        try:
            await self._raced(task)([Race(tuple(self._waits))])
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _raced(self, task: asyncio.Task[Any]) -> Callable[[Sequence[Any]], Any]:
        async def via(races: Sequence[Race]) -> Sequence[Heard]:
            signals = self._ctx.scope.signals
            waiting = {wait.name: asyncio.ensure_future(self._wait(wait, signals)) for wait in races[0].waits}
            try:
                await asyncio.wait({task, *waiting.values()}, return_when=asyncio.FIRST_COMPLETED)
                names = [name for name, one in waiting.items() if one.done()]  # of both at once, the signal counts
            finally:
                for one in waiting.values():
                    one.cancel()
                await asyncio.gather(*waiting.values(), return_exceptions=True)
            return [Heard(names, self._elapsed + asyncio.get_running_loop().time() - self._since)]

        return via

    async def _wait(self, wait: Wait, signals: Mapping[str, asyncio.Event]) -> None:
        if wait.seconds is not None:
            await asyncio.sleep(wait.seconds - self._elapsed)
        elif wait.name in signals:
            await signals[wait.name].wait()
        else:
            await asyncio.Event().wait()  # nobody can give it in this run
