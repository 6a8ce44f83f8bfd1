"""One server as all models behind it share it: its key, its limits, its health, and a deadline for every call.

A call first waits for its turn (a slot, then the rates), which no deadline bounds: the queue is ours, and each call in
front of it ends by its own. From then on it has `deadline` seconds, attempts and pauses included, and holds its slot.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary

import httpx2

from orchestra.errors import BadInput
from orchestra.models import address
from orchestra.models.remote.breaker import Breaker
from orchestra.models.remote.exchange import exchange
from orchestra.models.remote.failure import Failed
from orchestra.models.remote.key import Key, key_for
from orchestra.models.remote.rates import Booking, Rate
from orchestra.models.remote.retry import Sleep, persist
from orchestra.models.remote.slots import Slots

DEADLINE = 120.0
SHOWN = 500
"""Characters of a failure's message, the server's own words included."""


class Spent(Protocol):
    """What a call gave; knows what it cost."""

    @property
    def tokens(self) -> float: ...


T = TypeVar("T", bound=Spent)
Read = Callable[[Sequence[bytes]], T]
"""Makes a value of the JSON documents of an answer; raises Failed where they are none."""


class Answer(NamedTuple, Generic[T]):
    """What a call gave, and the seconds that its last attempt took."""

    value: T
    seconds: float


class Server:
    """A base URL that may be called, from any number of tasks of one event loop, and from one loop after another."""

    def __init__(
        self,
        base_url: str,
        *,
        key: Key | None = None,
        deadline: float = DEADLINE,
        requests_per_minute: float = float("inf"),
        tokens_per_minute: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`key`: None reads the environment. Raises BadInput for an address that is never called, and for limits that
        are not above 0."""
        limits = {
            "deadline": deadline,
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
        }
        if wrong := [f"{name}={value!r}" for name, value in limits.items() if not value > 0]:
            raise BadInput(f"expected limits above 0, got {', '.join(wrong)} for {base_url!r}")
        self.base_url = address.checked(base_url)
        self.deadline = deadline
        self._key = key_for(self.base_url, os.environ) if key is None else key
        self._requests = Rate(requests_per_minute, clock)
        self._tokens = Rate(tokens_per_minute, clock)
        self._breaker = Breaker(clock)
        self._clock = clock
        self._sleep = sleep
        self._context = httpx2.create_ssl_context()
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, Slots] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"Server({self.base_url!r})"

    async def call(self, path: str, body: Mapping[str, Any], read: Read[T], *, tokens: int) -> Answer[T]:
        """POSTs `body` to a path under the base URL. `tokens`: the most that it can cost, prompt and reply.

        Raises BadInput for text that is not Unicode, Failed for whatever else goes wrong.
        """
        content = _encoded(body)
        slots = self._slots.setdefault(asyncio.get_running_loop(), Slots())

        async def attempt() -> Answer[T]:
            began = time.perf_counter()
            try:
                value = read(await exchange(f"{self.base_url}/{path}", content, key=self._key, context=self._context))
            except Failed as failure:
                slots.learn(number, failure.kind)
                raise
            return Answer(value, time.perf_counter() - began)

        async def pause(seconds: float) -> None:
            await self._sleep(seconds)
            await self._turn(tokens)

        async with slots.one() as number:
            try:
                with self._breaker.watch():
                    booking = await self._turn(tokens)
                    answer = await persist(attempt, deadline=self.deadline, clock=self._clock, sleep=pause)
            except Failed as failure:
                slots.learn(number, failure.kind)
                told = self._key.hide(f"{self.base_url}: {failure}")  # hidden first: half a key is a secret, too
                raise failure.reworded(told[:SHOWN]) from None  # what caused it may repeat the key
            self._tokens.settle(booking, answer.value.tokens)
            slots.grow()
            return answer

    async def _turn(self, tokens: int) -> Booking:
        """Waits until the rates allow a call; its booking of tokens."""
        request, booking = self._requests.book(1), self._tokens.book(tokens)
        if (wait := max(request.at, booking.at) - self._clock()) > 0:
            await self._sleep(wait)
        return booking


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"expected Unicode text, got a lone surrogate in {str(body)[:80]!r}") from error
