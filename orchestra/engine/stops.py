"""When to end, and why. A Stop reads the committed past and nothing else, so it fires in the same place on every run.

`soonest` tells how early it can fire; it decides only what may start together. A wrong estimate costs waste, never the
transcript.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from orchestra.engine.history import History
from orchestra.errors import BadTeam
from orchestra.types import Message

FAR = 1 << 30
"""More steps than any team takes."""


def exact(a: str, b: str) -> bool:
    """Equality of answers as texts."""
    return a == b


class Wait(NamedTuple):
    """Something outside that a stop waits for."""

    name: str
    seconds: float | None = None
    """Of the team's running time; None: a signal of that name."""


class Stop(ABC):
    """When to end, and why; pure. A cyclic team whose stop has no bound on `rounds` is refused."""

    __slots__ = ()

    @property
    def rounds(self) -> float:
        """It holds from when that many rounds are closed, at the latest; infinite: no such promise."""
        return math.inf

    @property
    def waits(self) -> tuple[Wait, ...]:
        """What it wants to hear of from outside; `History.heard` has the names of those that came."""
        return ()

    @abstractmethod
    def __call__(self, history: History) -> str | None:
        """The reason to end now, or None."""

    @abstractmethod
    def soonest(self, history: History) -> int:
        """It cannot fire before that many more steps that are not known to be silent; at least 1."""

    def __or__(self, other: Stop) -> Stop:
        return Either(self, other)

    def __and__(self, other: Stop) -> Stop:
        return Both(self, other)


@dataclass(frozen=True, slots=True)
class Never(Stop):
    """Ends when nothing is left to say; right for teams without temporal edges."""

    def __call__(self, history: History) -> str | None:
        return None

    def soonest(self, history: History) -> int:
        return FAR


@dataclass(frozen=True, slots=True)
class MaxRounds(Stop):
    """That many rounds are closed."""

    limit: int

    def __post_init__(self) -> None:
        if type(self.limit) is not int or not 1 <= self.limit <= 10_000:
            raise BadTeam(f"MaxRounds({self.limit!r}): expected a whole number of rounds from 1 to 10,000")

    @property
    def rounds(self) -> float:
        return self.limit

    def __call__(self, history: History) -> str | None:
        return "max rounds" if history.rounds >= self.limit else None

    def soonest(self, history: History) -> int:
        left = len(history.coming.left())
        return max(1, left + (1 if self.limit - history.rounds > 1 else 0))


@dataclass(frozen=True, slots=True)
class Quorum(Stop):
    """More than floor(share x due) fresh votes agree (DyLAN: share 2/3).

    The share is read as a fraction, since in floats floor(0.7 * 90) is 62.

    >>> [Quorum(2 / 3).needed(due) for due in (2, 3, 4, 7)], Quorum(0.7).needed(90)
    ([2, 3, 3, 5], 64)
    """

    share: float
    same: Callable[[str, str], bool] = exact

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise BadTeam(f"Quorum({self.share!r}): expected a share from 0 up to, not including, 1")

    def needed(self, due: int) -> int:
        """Equal votes needed where that many are due."""
        return _over(self.share, due)

    def __call__(self, history: History) -> str | None:
        standing = history.standing()
        agree = agreement(standing.fresh, self.same)
        return "quorum" if agree and agree >= self.needed(standing.due) else None

    def soonest(self, history: History) -> int:
        standing, left = history.standing(), history.coming.left()
        agree = agreement(standing.fresh, self.same)
        spoke = standing.due - sum(name in history.voters for name in left)
        sure = set(history.coming.sure()) & history.voters.keys()
        for steps, name in enumerate(left, start=1):
            if name not in history.voters:
                return steps  # it may hold votes back, and fewer votes due are a quorum sooner
            sure.discard(name)
            if agree + steps >= self.needed(spoke + steps + len(sure)):
                return steps  # if these agree, and the others fall silent
        return len(left) + 1


@lru_cache(maxsize=1024)
def _over(share: float, due: int) -> int:
    """floor(share x due) + 1; kept, since a stop is asked after every message."""
    return math.floor(Fraction(share).limit_denominator(1000) * due) + 1


@dataclass(frozen=True, slots=True)
class Said(Stop):
    """A node said that its team is done. `by` names the nodes that may; empty: any."""

    by: tuple[str, ...] = ()

    def __call__(self, history: History) -> str | None:
        return next((why for name, why in history.said.items() if not self.by or name in self.by), None)

    def soonest(self, history: History) -> int:
        return _first(history, self.by) if self.by else 1


@dataclass(frozen=True, slots=True)
class Spoken(Stop):
    """One of the named nodes has spoken: to sample a team's first part, and grow on from what is worth it."""

    by: tuple[str, ...]

    def __call__(self, history: History) -> str | None:
        return next((f"{m.sender} spoke" for m in history.messages if m.sender in self.by), None)

    def soonest(self, history: History) -> int:
        return _first(history, self.by)


def approves(message: Message) -> bool:
    """Whether a verifier's typed output says yes: it is True, or its field `right` is."""
    return getattr(message.parsed, "right", message.parsed) is True


@dataclass(frozen=True, slots=True)
class Accepted(Stop):
    """The last word of one of the named nodes accepts."""

    by: tuple[str, ...]
    accepts: Callable[[Message], bool] = approves

    def __call__(self, history: History) -> str | None:
        last = history.messages[-1] if history.messages else None
        return f"{last.sender} accepted" if last and last.sender in self.by and self.accepts(last) else None

    def soonest(self, history: History) -> int:
        return _first(history, self.by)


@dataclass(frozen=True, slots=True)
class Unchanged(Stop):
    """A round is closed in which every vote repeated that of the round before; so many rounds in a row."""

    times: int = 1
    same: Callable[[str, str], bool] = exact

    def __post_init__(self) -> None:
        if type(self.times) is not int or self.times < 1:
            raise BadTeam(f"Unchanged({self.times!r}): expected a whole number of rounds from 1")

    def __call__(self, history: History) -> str | None:
        closed = history.rounds
        if closed <= self.times or (history.messages and history.messages[-1].round >= closed):
            return None
        rounds: dict[int, dict[str, str | None]] = {}
        for message in reversed(history.messages):
            if message.round < closed - 1 - self.times:
                break
            if message.sender in history.voters:
                rounds.setdefault(message.round, {}).setdefault(message.sender, message.answer)
        pairs = [(rounds.get(r - 1, {}), rounds.get(r, {})) for r in range(closed - self.times, closed)]
        return "unchanged" if all(now and self._repeats(before, now) for before, now in pairs) else None

    def soonest(self, history: History) -> int:
        return max(1, len(history.coming.left()) + (0 if history.rounds >= self.times else 1))

    def _repeats(self, before: Mapping[str, str | None], now: Mapping[str, str | None]) -> bool:
        if before.keys() != now.keys():
            return False
        return all(
            old == new or (old is not None and new is not None and self.same(old, new))
            for old, new in ((before[name], now[name]) for name in now)
        )


@dataclass(frozen=True, slots=True)
class Spent(Stop):
    """So much has been spent: a wish, where a Budget is a cap, so the call that reaches it still counts."""

    calls: float = math.inf
    tokens: float = math.inf

    def __post_init__(self) -> None:
        if not (self.calls > 0 and self.tokens > 0) or math.inf == self.calls == self.tokens:
            raise BadTeam(f"Spent(calls={self.calls!r}, tokens={self.tokens!r}): expected calls or tokens above 0")

    def __call__(self, history: History) -> str | None:
        usage = history.usage
        return "spent" if usage.calls >= self.calls or usage.tokens >= self.tokens else None

    def soonest(self, history: History) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class Timeout(Stop):
    """The team has run so many seconds; what is under way is cancelled. The time that a crash took does not count."""

    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise BadTeam(f"Timeout({self.seconds!r}): expected a number of seconds above 0")

    @property
    def waits(self) -> tuple[Wait, ...]:
        return (Wait(f"{self.seconds:g} seconds", self.seconds),)

    def __call__(self, history: History) -> str | None:
        return "timeout" if self.waits[0].name in history.heard else None

    def soonest(self, history: History) -> int:
        return FAR  # rare enough to let everything run ahead


@dataclass(frozen=True, slots=True)
class Signal(Stop):
    """Somebody outside says so, by the event of that name that the run was given; what is under way is cancelled."""

    name: str = "stop"

    @property
    def waits(self) -> tuple[Wait, ...]:
        return (Wait(self.name),)

    def __call__(self, history: History) -> str | None:
        return f"signal {self.name}" if self.name in history.heard else None

    def soonest(self, history: History) -> int:
        return FAR


@dataclass(frozen=True, slots=True)
class Either(Stop):
    """Ends as soon as one of two does; written `a | b`."""

    first: Stop
    second: Stop

    @property
    def rounds(self) -> float:
        return min(self.first.rounds, self.second.rounds)

    @property
    def waits(self) -> tuple[Wait, ...]:
        return tuple(dict.fromkeys((*self.first.waits, *self.second.waits)))

    def __call__(self, history: History) -> str | None:
        return self.first(history) or self.second(history)

    def soonest(self, history: History) -> int:
        return min(self.first.soonest(history), self.second.soonest(history))


@dataclass(frozen=True, slots=True)
class Both(Stop):
    """Ends when both say so at the same time; written `a & b`."""

    first: Stop
    second: Stop

    @property
    def rounds(self) -> float:
        return max(self.first.rounds, self.second.rounds)

    @property
    def waits(self) -> tuple[Wait, ...]:
        return tuple(dict.fromkeys((*self.first.waits, *self.second.waits)))

    def __call__(self, history: History) -> str | None:
        first, second = self.first(history), self.second(history)
        return f"{first} and {second}" if first and second else None

    def soonest(self, history: History) -> int:
        # One that holds already may go on holding: it bounds nothing.
        return max(1 if stop(history) else stop.soonest(history) for stop in (self.first, self.second))


def agreement(votes: Sequence[Message], same: Callable[[str, str], bool] = exact) -> int:
    """Size of the largest group of equal answers; abstentions belong to none."""
    answers = [vote.answer for vote in votes if vote.answer is not None]
    if same is exact:
        return max(Counter(answers).values(), default=0)
    return max((sum(same(a, b) for b in answers) for a in answers), default=0)


def _first(history: History, names: Sequence[str]) -> int:
    """Steps to the first of these that is still to come this round; past the end of it if none is."""
    left = history.coming.left()
    return next((steps for steps, name in enumerate(left, start=1) if name in names), len(left) + 1)
