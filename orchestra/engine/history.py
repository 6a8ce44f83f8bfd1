"""The committed past of one team run: all that a Stop and an output may read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from orchestra.types import Message, Reply, Usage


class Standing(NamedTuple):
    """Votes as they stand. Majority reads `votes`, a quorum reads `fresh` and `due`."""

    votes: Sequence[Message]
    """Each voter's last message, save what a selection held back; in order of declaration."""
    fresh: Sequence[Message]
    """Those said or passed on this round."""
    due: int
    """How many votes are to be expected this round."""


class History:
    """What has been committed so far; it grows in canonical order."""

    __slots__ = ("_fired", "_fresh", "_held", "_votes", "left", "messages", "rounds", "said", "sure", "usage", "voters")

    def __init__(
        self, voters: Sequence[str], left: Callable[[], Sequence[str]], sure: Callable[[], Sequence[str]]
    ) -> None:
        self.messages: list[Message] = []
        """One an activation."""
        self.rounds = 0
        """Closed rounds."""
        self.usage = Usage()
        self.said: dict[str, str] = {}
        """Nodes that found their team done, and the last reason that each gave."""
        self.voters = dict.fromkeys(voters)
        self.left = left
        """Names of this round's nodes that are neither committed nor, from what is committed, known to be silent."""
        self.sure = sure
        """Those of them that will be asked whatever the others say."""
        self._votes: dict[str, Message] = {}
        self._fresh: dict[str, Message] = {}
        self._held: set[str] = set()
        self._fired: set[str] = set()

    def standing(self) -> Standing:
        votes = [self._votes[name] for name in self.voters if name in self._votes and name not in self._held]
        fresh = [self._fresh[name] for name in self.voters if name in self._fresh]
        due = len(self._fired - self._held) + sum(name in self.voters for name in self.left())
        return Standing(votes, fresh, due)

    def add(self, message: Message, reply: Reply, inbox: Sequence[Message]) -> None:
        """One committed activation: its vote, and what it passed on or held back of the votes that it saw."""
        self.messages.append(message)
        if reply.stop is not None:
            self.said[message.sender] = reply.stop
        if message.sender in self.voters:
            self._votes[message.sender] = self._fresh[message.sender] = message
            self._held.discard(message.sender)
            self._fired.add(message.sender)
        elif reply.sends:
            self._select(reply, inbox)

    def abstain(self, name: str) -> None:
        """A voter whose activation failed: a vote was due from it and none came."""
        if name in self.voters:
            self._fired.add(name)

    def begin(self) -> None:
        """A new round: no vote is fresh yet."""
        self._fresh.clear()
        self._fired.clear()

    def _select(self, reply: Reply, inbox: Sequence[Message]) -> None:
        passed = {m.id for sent in (reply.sends or {}).values() if isinstance(sent, tuple) for m in sent}
        if not passed:
            return
        for seen in inbox:
            vote = self._votes.get(seen.sender)
            if vote is None or not _is_copy(seen, vote):
                continue
            if seen.id in passed:
                self._fresh[seen.sender] = vote
                self._fired.add(seen.sender)
                self._held.discard(seen.sender)
            else:
                self._fresh.pop(seen.sender, None)
                self._held.add(seen.sender)


def _is_copy(seen: Message, said: Message) -> bool:
    """Whether what a node saw is this message, be it changed by an edge or worded for that node."""
    return seen.id == said.id or seen.id.startswith(f"{said.id}>")
