"""A server that is down is left alone for a while: calls fail at once, and one at a time finds out whether it is back.

closed --(so many calls in a row fail)--> open --(cool-off is over)--> one probe --> closed, or open again
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestra.models.remote.failure import Failed

FAILURES, COOL_OFF = 5, 15.0


class Breaker:
    """Counts whole calls, not attempts, so retries get their chance first. One that refuses or is busy is alive."""

    def __init__(self, clock: Callable[[], float], failures: int = FAILURES, cool_off: float = COOL_OFF) -> None:
        self._clock = clock
        self._most = failures
        self._cool_off = cool_off
        self._failed = 0
        self._until = 0.0
        self._probing = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around one call. Raises Failed instead of making it while the server is left alone."""
        probe = self._admit()
        try:
            yield
        except Failed as failure:
            self._tell(failure.kind in ("down", "late"))
            raise
        else:
            self._tell(False)
        finally:
            if probe:  # cancelled probes, too, make way for the next
                self._probing = False

    def _admit(self) -> bool:
        if self._failed < self._most:
            return False
        left = self._until - self._clock()
        if left > 0 or self._probing:
            wait = f"for another {left:.1f} s" if left > 0 else "until the call that tries it now comes back"
            raise Failed(f"not called: {self._failed} calls in a row failed, it is left alone {wait}", "down")
        self._probing = True
        return True

    def _tell(self, down: bool) -> None:
        self._failed = self._failed + 1 if down else 0
        if self._failed >= self._most:
            self._until = self._clock() + self._cool_off
