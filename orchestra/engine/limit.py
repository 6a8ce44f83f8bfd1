"""Time limits at the door: a call that takes too long fails, and its failure is journaled like any other, so that a
resumed run fails in the same place. What an actor does between calls is pure, and no clock is held against it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import inf
from typing import Any

from orchestra.engine.door import Via
from orchestra.errors import CallFailed


class Limit:
    """How long one activation may take in all, and how long it may be silent; seconds of this process's clock."""

    __slots__ = ("_deadline", "_heard", "_idle", "_outer", "_run")

    def __init__(self, run: float, idle: float, outer: Limit | None) -> None:
        self._run, self._idle, self._outer = run, idle, outer
        self._heard = asyncio.get_running_loop().time()
        self._deadline = self._heard + run

    def heard(self) -> None:
        """It said something: the idle time begins anew."""
        limit: Limit | None = self
        while limit is not None:
            limit._heard = asyncio.get_running_loop().time()
            limit = limit._outer

    def around(self, via: Via) -> Via:
        """The same, cut short: CallFailed once either time is over."""

        async def limited(effects: Sequence[Any]) -> Sequence[Any]:
            self.heard()
            work = asyncio.ensure_future(via(effects))
            try:
                while (left := self._left()) > 0:
                    await asyncio.wait({work}, timeout=left if left < inf else None)
                    if work.done():
                        return work.result()
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            over = self._deadline <= asyncio.get_running_loop().time()
            raise CallFailed(
                f"timed out: no outcome within {self._run:g} s" if over else f"timed out: silent for {self._idle:g} s"
            )

        return limited if self._outer is None else self._outer.around(limited)

    def _left(self) -> float:
        now = asyncio.get_running_loop().time()
        return min(self._deadline, self._heard + self._idle) - now
