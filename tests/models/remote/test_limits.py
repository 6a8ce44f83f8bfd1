"""Rates, slots and the breaker, each alone against a slower second derivation, and together in a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestra.errors import BadInput
from orchestra.models.remote import RemoteModel, Server
from orchestra.models.remote.breaker import COOL_OFF, FAILURES, Breaker
from orchestra.models.remote.failure import Failed, Kind
from orchestra.models.remote.rates import MINUTE, Booking, Rate
from orchestra.models.remote.slots import Slots
from orchestra.types import Request
from tests.models.remote import proxy
from tests.models.remote.proxy import Proxy
from tests.models.remote.service import Service


class Time:
    """A clock that a sleep moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


# Rates

STEPS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(0, 12)), max_size=40
)  # seconds that pass, amount booked, amount spent in the end


def most_in_a_minute(bookings: list[Booking]) -> float:
    """The fullest minute, by looking at each that ends with a booking."""
    return max((sum(b.amount for b in bookings if end.at - MINUTE < b.at <= end.at) for end in bookings), default=0.0)


@given(STEPS, st.integers(1, 20))
def test_no_minute_holds_more_than_the_rate(steps: list[tuple[int, int, int]], per_minute: int) -> None:
    time = Time()
    rate = Rate(per_minute, time)
    bookings: list[Booking] = []
    for passed, amount, spent in steps:
        time.now += passed
        bookings.append(rate.book(amount))
        rate.settle(bookings[-1], spent)
        assert bookings[-1].at >= time.now
    assert most_in_a_minute(bookings) <= per_minute
    assert [b.at for b in bookings] == sorted(b.at for b in bookings)


@given(STEPS, st.integers(1, 20))
def test_a_booking_is_as_early_as_it_can_be(steps: list[tuple[int, int, int]], per_minute: int) -> None:
    """One second earlier it would be before its time, before its forerunner, or in too full a minute."""
    time = Time()
    rate = Rate(per_minute, time)
    bookings: list[Booking] = []
    for passed, amount, _ in steps:
        time.now += passed
        made = rate.book(amount)
        floor = max([time.now, *(b.at for b in bookings)])
        if made.at > floor:
            earlier = sum(b.amount for b in bookings if made.at - 1 - MINUTE < b.at)
            assert earlier + made.amount > per_minute
        bookings.append(made)


def test_the_check_of_minutes_can_fail() -> None:
    assert most_in_a_minute([Booking(0.0, 2), Booking(59.0, 1), Booking(60.0, 1)]) == 3


def test_what_was_not_spent_can_be_booked_again() -> None:
    rate = Rate(100, lambda: 0.0)
    first = rate.book(90)
    rate.settle(first, 10)
    assert rate.book(90).at == 0.0
    assert rate.book(1).at == MINUTE


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"requests_per_minute": 2}, [0.0, 0.0, 60.0, 60.0, 120.0]),
        ({"tokens_per_minute": 10}, [0.0, 60.0, 120.0, 180.0, 240.0]),  # each call books all
        ({"tokens_per_minute": 200}, [0.0] * 5),  # each books 165, spends 8 and gives back the rest
    ],
)
def test_a_server_is_asked_no_faster_than_its_rates(
    service: Service, limit: dict[str, float], expected: list[float]
) -> None:
    time = Time()
    began: list[float] = []

    async def run() -> None:
        model = RemoteModel("m", Server(service.base_url, clock=time, sleep=time.sleep, **limit))
        for i in range(5):
            await model.generate([Request((("user", f"{i}"),), max_tokens=20)])
            began.append(time.now)

    asyncio.run(run())
    assert began == expected


# Slots


def test_slots_grow_by_one_a_round_and_halve_once_for_what_was_in_flight() -> None:
    async def run() -> None:
        slots = Slots(start=4, most=6)
        async with slots.one(), slots_of(slots, 3) as numbers:
            for _ in range(4):
                slots.grow()
            assert slots.limit == 4  # 4 + 1/4 + 1/4.25 + ... is a little less than 5
            slots.grow()
            assert slots.limit == 5
            for number in numbers:
                slots.learn(number, "busy")
            assert slots.limit == 2  # one cut, though three told of it
            for kind in ("refused", "down"):
                slots.learn(99, kind)
            assert slots.limit == 2
            slots.learn(99, "late")
            slots.learn(100, "late")
            assert slots.limit == 1
        for _ in range(100):
            async with slots.one(), slots_of(slots, slots.limit - 1):
                slots.grow()
        assert slots.limit == 6
        slots.grow()  # nobody is held back
        assert slots.limit == 6

    asyncio.run(run())


class slots_of:  # noqa: N801  (reads as a function)
    """So many more slots, each held by a task of its own."""

    def __init__(self, slots: Slots, n: int) -> None:
        self._slots, self._n = slots, n

    async def __aenter__(self) -> list[int]:
        self._end = asyncio.Event()
        numbers: list[int] = []

        async def hold() -> None:
            async with self._slots.one() as number:
                numbers.append(number)
                await self._end.wait()

        self._tasks = [asyncio.create_task(hold()) for _ in range(self._n)]
        while len(numbers) < self._n:  # noqa: ASYNC110  (they need only turns)
            await asyncio.sleep(0)
        return numbers

    async def __aexit__(self, *error: object) -> None:
        self._end.set()
        await asyncio.gather(*self._tasks)


def test_a_server_has_no_more_in_flight_than_its_slots(service: Service) -> None:
    with Proxy(service, proxy.latency) as slow:
        model = RemoteModel("m", Server(slow.base_url))
        made = asyncio.run(model.generate([Request((("user", str(i)),)) for i in range(60)]))
    assert len({m.text for m in made}) == 60
    assert 8 <= slow.most <= 24  # begins with 16


def test_a_storm_of_429_makes_it_careful(service: Service) -> None:
    with Proxy(service, proxy.status("429 Too Many Requests", "retry-after: 0\r\n"), times=20) as busy:
        server = Server(busy.base_url, clock=lambda: 0.0, sleep=Time().sleep)

        async def run() -> int:
            await RemoteModel("m", server).generate([Request((("user", str(i)),)) for i in range(16)])
            return server._slots[asyncio.get_running_loop()].limit

        assert 8 <= asyncio.run(run()) <= 10  # sixteen were in flight and told the same: one cut, then some growth


# The breaker


def call(breaker: Breaker, kind: Kind | None) -> None:
    with breaker.watch():
        if kind is not None:
            raise Failed("made", kind)


class Calls(RuleBasedStateMachine):
    """Against a model of it that keeps the whole history of calls that were made."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.breaker = Breaker(self.time)
        self.history: list[tuple[float, bool]] = []
        self.probe: Any = None

    @property
    def row(self) -> int:
        """How many in a row failed up to now."""
        good = [i for i, (_, failed) in enumerate(self.history) if not failed]
        return len(self.history) - (good[-1] + 1 if good else 0)

    @property
    def left_alone(self) -> bool:
        return self.row >= FAILURES and (self.time.now < self.history[-1][0] + COOL_OFF or self.probe is not None)

    @rule(seconds=st.sampled_from([0.5, 5.0, COOL_OFF]))
    def passes(self, seconds: float) -> None:
        self.time.now += seconds

    @precondition(lambda self: self.probe is None)
    @rule(kind=st.sampled_from([None, "down", "down", "late", "busy", "refused"]))
    def calls(self, kind: Kind | None) -> None:
        alone = self.left_alone
        if alone or kind is not None:
            with pytest.raises(Failed, match="not called" if alone else "made"):
                call(self.breaker, kind)
        else:
            call(self.breaker, kind)
        if not alone:
            self.history.append((self.time.now, kind in ("down", "late")))

    @precondition(lambda self: self.probe is None and self.row >= FAILURES and not self.left_alone)
    @rule()
    def probe_begins(self) -> None:
        self.probe = self.breaker.watch()
        self.probe.__enter__()

    @precondition(lambda self: self.probe is not None)
    @rule(end=st.sampled_from(["cancelled", "good", "down"]))
    def probe_ends(self, end: str) -> None:
        error: BaseException = asyncio.CancelledError() if end == "cancelled" else Failed("made", "down")
        if end == "good":
            self.probe.__exit__(None, None, None)
        else:
            assert not self.probe.__exit__(type(error), error, None)
        if end != "cancelled":
            self.history.append((self.time.now, end == "down"))
        self.probe = None

    @invariant()
    def one_probe_at_a_time(self) -> None:
        if self.probe is not None:
            with pytest.raises(Failed, match="until the call that tries it now"):
                call(self.breaker, None)


TestBreaker = Calls.TestCase


def test_a_server_that_is_down_is_left_alone_and_tried_again(service: Service) -> None:
    time = Time()

    async def run(url: str) -> None:
        model = RemoteModel("m", Server(url, deadline=1e6, clock=time, sleep=time.sleep))

        async def ask() -> None:
            await model.generate([Request((("user", "hello"),))])

        for _ in range(FAILURES):
            await fails(ask, "attempt 5 of 5")
        assert down.made == 5 * FAILURES
        await fails(ask, r"not called: 5 calls in a row failed, it is left alone for another 1\d\.\d s")
        assert down.made == 5 * FAILURES
        time.now += COOL_OFF
        await ask()
        await ask()
        assert down.made == 5 * FAILURES + 2

    with Proxy(service, proxy.hang_up, times=5 * FAILURES) as down:
        asyncio.run(run(down.base_url))


async def fails(ask: Callable[[], Awaitable[None]], said: str) -> None:
    with pytest.raises(Failed, match=said):
        await ask()


# Addresses


@pytest.mark.parametrize("name", ["deadline", "requests_per_minute", "tokens_per_minute"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_limits_are_above_0(name: str, value: float) -> None:
    with pytest.raises(BadInput, match=f"{name}={value!r}"):
        Server("http://127.0.0.1:1/v1", **{name: value})


@pytest.mark.parametrize("url", ["http://169.254.169.254/v1", "file:///etc/passwd", "http://a:b@h/v1"])
def test_an_address_that_is_never_called_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadInput):
        Server(url)
