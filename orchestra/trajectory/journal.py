"""The journal: append-only outcomes by Key. It is the only state; resume is running again, answered from it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from orchestra.types import Key


class Entry(NamedTuple):
    """What was asked and what came of it."""

    digest: str
    """Of the effect and the weights that answered, without seed and policy name."""
    effect: Any
    """JSON form of the effect, so that drift can name the field that changed."""
    outcome: Any
    """The outcome itself (a Completion, or plain JSON), or a Failure."""


class Failure(NamedTuple):
    """An effect that gave no outcome; journaled, so that a replay fails in the same place."""

    error: str


class Journal(Protocol):
    """Append-only outcomes of one run by Key: in memory, in SQLite, or laid over another journal."""

    def get(self, key: Key) -> Entry | None: ...

    def put(self, key: Key, entry: Entry) -> None:
        """Queues the entry; visible to `get` at once, on disk after `flushed`. A second put of a key is ignored."""
        ...

    async def flushed(self) -> None:
        """Returns once everything put before is on disk. Awaited before a writing effect and any acknowledgement."""
        ...


class MemoryJournal:
    """Outcomes in a dict: nothing survives the process.

    >>> journal = MemoryJournal(); journal.put(Key("s"), Entry("d", None, 1)); journal.get(Key("s")).outcome
    1
    """

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}

    def get(self, key: Key) -> Entry | None:
        return self.entries.get(key)

    def put(self, key: Key, entry: Entry) -> None:
        self.entries.setdefault(key, entry)

    async def flushed(self) -> None:
        return None


class Fork:
    """A journal laid over another, which it never writes to: what it holds itself goes before what lies below.

    A run on a Fork repeats the other run as far as its effects are the same, and goes its own way where they are not.

    >>> below = MemoryJournal(); below.put(Key("s"), Entry("d", None, 1)); fork = Fork(below, MemoryJournal())
    >>> fork.put(Key("s"), Entry("e", None, 2)); fork.get(Key("s")).outcome, below.get(Key("s")).outcome
    (2, 1)
    """

    def __init__(self, below: Journal, own: Journal) -> None:
        self.below = below
        self.own = own

    def has(self, key: Key) -> bool:
        """Whether it holds the key itself."""
        return self.own.get(key) is not None

    def get(self, key: Key) -> Entry | None:
        return self.own.get(key) or self.below.get(key)

    def put(self, key: Key, entry: Entry) -> None:
        self.own.put(key, entry)

    async def flushed(self) -> None:
        await self.own.flushed()
