"""The one retry layer: at most five attempts, full jitter between them, never beyond the deadline.

Waits are U(0, min(60, 0.5 * 2^n)) seconds ("full jitter": Brooker, Exponential Backoff And Jitter, AWS 2015), on top of
what the server asks for (Retry-After, RFC 9110 10.2.3).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from orchestra.models.remote.failure import Failed

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

ATTEMPTS = 5

_jitter = wait_random_exponential(multiplier=0.5, max=60.0)


async def persist(
    attempt: Callable[[], Awaitable[T]], *, deadline: float, clock: Callable[[], float], sleep: Sleep
) -> T:
    """The first outcome of `attempt`, which is made again after each Failed with `again`.

    Raises the last Failed, or one of its own once `deadline` seconds are over; a pause that would pass them is not
    begun.
    """
    ends = clock() + deadline
    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, Failed) and error.again),
        wait=_pause,
        stop=lambda state: state.attempt_number >= ATTEMPTS or state.upcoming_sleep >= ends - clock(),
        sleep=sleep,
        reraise=True,
    )
    try:
        async with asyncio.timeout(deadline):
            return await retrying(attempt)
    except TimeoutError:
        failure = Failed(f"no answer within {deadline:g} s", "late")
    except Failed as last:
        failure = last
    asked = f", asked to wait {failure.after:g} s" if failure.after is not None else ""
    made = retrying.statistics["attempt_number"]
    raise failure.reworded(f"attempt {made} of {ATTEMPTS}{asked}: {failure}") from None


def retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After asks for: a number or an HTTP date; None for none and for garbage.

    >>> retry_after("2"), retry_after("soon"), retry_after("Thu, 01 Jan 1970 00:00:00 GMT")
    (2.0, None, 0.0)
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            then = parsedate_to_datetime(header)
        except ValueError:
            return None
        if then.tzinfo is None:  # "-0000": UTC, says RFC 5322
            then = then.replace(tzinfo=UTC)
        seconds = (then - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _pause(state: RetryCallState) -> float:
    failure = state.outcome.exception() if state.outcome is not None else None
    asked = failure.after if isinstance(failure, Failed) and failure.after is not None else 0.0
    return asked + _jitter(state)
