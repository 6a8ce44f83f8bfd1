"""The committed past of one team run: all that a Stop and an output may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from orchestra.types import Message, Reply, Usage


class Standing(NamedTuple):
    """Votes as they stand. Majority reads `votes`, a quorum reads `fresh` and `due`."""

    votes: Sequence[Message]
    """Each voter's last message, save what a selection held back; in order of declaration."""
    fresh: Sequence[Message]
    """Those said or passed on this round."""
    due: int
    """How many votes are to be expected this round."""


class Coming(Protocol):
    """What is known of the rest of this round, from committed tokens alone."""

    def left(self) -> Sequence[str]:
        """Nodes that are neither committed nor known to be silent."""
        ...

    def sure(self) -> Sequence[str]:
        """Those of them that will be asked whatever the others say."""
        ...


class _Selected(NamedTuple):
    """A node that does not vote passed some of the messages it saw on, and held back the others."""

    passed: frozenset[str]
    seen: Sequence[Message]


class _Tally:
    """Votes by voter, folded from the record on demand: most teams have no stop or output that counts them."""

    __slots__ = ("fired", "fresh", "held", "read", "votes")

    def __init__(self) -> None:
        self.votes: dict[str, Message] = {}
        self.fresh: dict[str, Message] = {}
        self.held: set[str] = set()
        self.fired: set[str] = set()
        self.read = 0
        """How much of the record is in it."""

    def vote(self, message: Message) -> None:
        self.votes[message.sender] = self.fresh[message.sender] = message
        self.held.discard(message.sender)
        self.fired.add(message.sender)

    def begin(self) -> None:
        self.fresh.clear()
        self.fired.clear()

    def select(self, passed: frozenset[str], inbox: Sequence[Message]) -> None:
        for seen in inbox:
            vote = self.votes.get(seen.sender)
            if vote is None or not _is_copy(seen, vote):
                continue
            if seen.id in passed:
                self.fresh[seen.sender] = vote
                self.fired.add(seen.sender)
                self.held.discard(seen.sender)
            else:
                self.fresh.pop(seen.sender, None)
                self.held.add(seen.sender)


class History:
    """What has been committed so far; it grows in canonical order."""

    __slots__ = ("_record", "_tally", "coming", "heard", "messages", "rounds", "said", "usage", "voters")

    def __init__(self, voters: Mapping[str, None], coming: Coming) -> None:
        self.messages: list[Message] = []
        """One an activation."""
        self.rounds = 0
        """Closed rounds."""
        self.usage = Usage()
        self.said: dict[str, str] = {}
        """Nodes that found their team done, and the last reason that each gave."""
        self.heard: tuple[str, ...] = ()
        """Signals from outside that have come, by name."""
        self.voters = voters
        self.coming = coming
        self._record: list[Message | _Selected | str | None] = []
        """What bears on votes: a vote, a selection, the name of a voter that failed, or the beginning of a round."""
        self._tally: _Tally | None = None

    def standing(self) -> Standing:
        tally = self._counted()
        votes = [tally.votes[name] for name in self.voters if name in tally.votes and name not in tally.held]
        fresh = [tally.fresh[name] for name in self.voters if name in tally.fresh]
        left = self.coming.left()
        due = len(tally.fired - tally.held) + sum(name in self.voters for name in left)
        return Standing(votes, fresh, due)

    def add(self, message: Message, reply: Reply, inbox: Sequence[Message]) -> None:
        """One committed activation: its vote, and what it passed on or held back of the votes that it saw."""
        self.messages.append(message)
        if reply.stop is not None:
            self.said[message.sender] = reply.stop
        if message.sender in self.voters:
            self._record.append(message)
        elif reply.sends:
            passed = frozenset(m.id for sent in reply.sends.values() if isinstance(sent, tuple) for m in sent)
            if passed:
                self._record.append(_Selected(passed, inbox))

    def abstain(self, name: str) -> None:
        """A voter whose activation failed: a vote was due from it and none came."""
        if name in self.voters:
            self._record.append(name)

    def begin(self) -> None:
        """A new round: no vote is fresh yet."""
        self._record.append(None)

    def _counted(self) -> _Tally:
        tally = self._tally = self._tally or _Tally()
        for i in range(tally.read, len(self._record)):
            item = self._record[i]
            if item is None:
                tally.begin()
            elif isinstance(item, Message):
                tally.vote(item)
            elif isinstance(item, str):
                tally.fired.add(item)
            else:
                tally.select(item.passed, item.seen)
        tally.read = len(self._record)
        return tally


def _is_copy(seen: Message, said: Message) -> bool:
    """Whether what a node saw is this message, be it changed by an edge or worded for that node."""
    return seen.id == said.id or seen.id.startswith(f"{said.id}>")
