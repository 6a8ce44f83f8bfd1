"""What a team answers: the best answer so far, at any moment, read from its committed past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestra.engine.history import History
from orchestra.engine.stops import exact
from orchestra.types import Message, Reply

Output = Callable[[History], Reply]


@dataclass(frozen=True, slots=True)
class Last:
    """The last message of the named nodes; where none of them has spoken, the last message that holds an answer."""

    names: tuple[str, ...] = ()

    def __call__(self, history: History) -> Reply:
        said = [m for m in history.messages if not self.names or m.sender in self.names]
        found = said or [m for m in history.messages if m.answer is not None]
        return _reply(found[-1]) if found else Reply()


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """The last message that holds an answer; where there is none the last of all."""

    def __call__(self, history: History) -> Reply:
        said = [m for m in history.messages if m.answer is not None] or history.messages
        return _reply(said[-1]) if said else Reply()


@dataclass(frozen=True, slots=True)
class Majority:
    """The most frequent answer of the standing votes; of equally frequent ones the one that was declared first."""

    same: Callable[[str, str], bool] = exact

    def __call__(self, history: History) -> Reply:
        votes = [vote for vote in history.standing().votes if vote.answer is not None]
        best, most = None, 0
        for vote in votes:
            count = sum(self.same(vote.answer or "", other.answer or "") for other in votes)
            if count > most:
                best, most = vote, count
        return _reply(best) if best else Reply()


@dataclass(frozen=True, slots=True)
class Everything:
    """All messages, one after another, each under its sender's name; the answer is the last one given."""

    def __call__(self, history: History) -> Reply:
        answers = [m.answer for m in history.messages if m.answer is not None]
        content = "\n\n".join(f"{m.sender}: {m.content}" for m in history.messages)
        return Reply(content, answer=answers[-1] if answers else None)


def last(*names: str) -> Output:
    """The last word of the named nodes."""
    return Last(names)


def majority(same: Callable[[str, str], bool] = exact) -> Output:
    """The majority of the standing votes."""
    return Majority(same)


def everything() -> Output:
    """All that was said."""
    return Everything()


def _reply(message: Message) -> Reply:
    return Reply(message.content, message.answer, message.parsed)
