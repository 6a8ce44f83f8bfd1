"""A rate limit kept on this side: no minute, wherever it begins, holds more than the server allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60.0


@dataclass(slots=True, eq=False)
class Booking:
    """A place in time for an amount."""

    at: float
    amount: float
    counts: bool = True
    """Whether it may share a minute with the next one."""


class Rate:
    """At most `per_minute` of something. Whoever books waits until its place in time; bookings are in order.

    >>> now = [0.0]; rate = Rate(2, lambda: now[0])
    >>> [rate.book(1).at for _ in range(5)]
    [0.0, 0.0, 60.0, 60.0, 120.0]
    """

    __slots__ = ("_booked", "_clock", "_held", "_last", "per_minute")

    def __init__(self, per_minute: float, clock: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._booked: deque[Booking] = deque()  # those that count
        self._held = 0.0
        self._last = float("-inf")

    def book(self, amount: float) -> Booking:
        """The earliest place for `amount`; one larger than a whole minute's has a minute to itself."""
        at, amount = max(self._clock(), self._last), min(amount, self.per_minute)
        while self._booked and (self._booked[0].at + MINUTE <= at or self._held + amount > self.per_minute):
            first = self._booked.popleft()
            first.counts = False
            self._held -= first.amount
            at = max(at, first.at + MINUTE)
        booking = Booking(at, amount)
        self._booked.append(booking)
        self._held += amount
        self._last = at
        return booking

    def settle(self, booking: Booking, amount: float) -> None:
        """What was booked turned out to be so much; never more than was booked."""
        less = max(0.0, booking.amount - amount)
        booking.amount -= less
        if booking.counts:
            self._held -= less
