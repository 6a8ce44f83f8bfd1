"""How many calls a server is given at once: more by one for every full round that went well, half when it is too much.

Additive increase, multiplicative decrease (Chiu and Jain 1989, as in TCP).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter

from orchestra.models.remote.failure import Kind

START, MOST = 16, 256


class Slots:
    """Places for calls in flight, given out in order of arrival. Belongs to one event loop."""

    def __init__(self, start: int = START, most: int = MOST) -> None:
        self._limit = float(start)
        self._most = most
        self._limiter = CapacityLimiter(start)
        self._given = self._cut = 0

    @property
    def limit(self) -> int:
        return int(self._limit)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[int]:
        """A slot for the time of the block, and its number. A task holds one at a time."""
        async with self._limiter:
            self._given += 1
            yield self._given

    def grow(self) -> None:
        """A call went well; the limit rises only where it is what holds others back."""
        if self._limiter.available_tokens < 1:
            self._set(self._limit + 1 / self._limit)

    def learn(self, number: int, kind: Kind) -> None:
        """The call in that slot failed. Busy and late halve the limit; slots given before the last cut tell nothing
        new."""
        if kind in ("busy", "late") and number > self._cut:
            self._cut = self._given
            self._set(self._limit / 2)

    def _set(self, limit: float) -> None:
        self._limit = min(max(limit, 1.0), float(self._most))
        self._limiter.total_tokens = self.limit
