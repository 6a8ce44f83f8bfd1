"""The journal of a run as others left it: what a fork is laid over. It is read, never written."""

from __future__ import annotations

from collections.abc import Sequence

from orchestra.errors import Unavailable
from orchestra.trajectory.journal import Entry
from orchestra.trajectory.reader import Reader
from orchestra.types import Key


class Recorded:
    """A Journal over the files of several writers; of two that hold a key, the first counts. A put raises Unavailable.

    Entries are read and verified when they are asked for.
    """

    def __init__(self, sources: Sequence[Reader], run: str) -> None:
        self._run = run
        self._where: dict[Key, Reader] = {}
        for source in reversed(sources):
            self._where |= dict.fromkeys(source.keys(run), source)
        self._known: dict[Key, Entry] = {}

    def get(self, key: Key) -> Entry | None:
        if key not in self._known and key in self._where:
            self._known[key] = self._where[key].entry(self._run, key)
        return self._known.get(key)

    def put(self, key: Key, entry: Entry) -> None:
        raise Unavailable(f"the journal of run {self._run!r} is only read here; fix: lay a Fork over it")

    async def flushed(self) -> None:
        return None
