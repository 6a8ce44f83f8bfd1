"""What the members of one finished run made of each other's words, and of the task.

Who a member is, what it said and what it had read: `orchestra.credit.speech`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestra.answers import equal
from orchestra.credit.speech import read_by
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.result import Rule
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import AnswerKind, Message, Task


def by_sender(messages: Iterable[Message]) -> dict[str, list[Message]]:
    """Each member's messages in order, members in order of their first."""
    found: dict[str, list[Message]] = {}
    for message in messages:
        found.setdefault(message.sender, []).append(message)
    return found


def readers(messages: Sequence[Message]) -> list[tuple[Message, list[Message]]]:
    """Each message with what its speaker had read of the others' messages before saying it."""
    known = {message.id: message for message in messages}
    return [(m, [s for s in read_by(m.saw, known) if s.sender != m.sender]) for m in messages]


def alike(a: str | None, b: str | None, kind: AnswerKind) -> bool:
    """Whether two answers are one; two abstentions are."""
    return (a is None and b is None) or equal(a, b, kind)


def most_common(messages: Sequence[Message], kind: AnswerKind) -> Message | None:
    """One that gives the most frequent answer, the first of these; abstentions do not count. None if all abstain."""
    votes = [message for message in messages if message.answer is not None]
    return max(votes, key=lambda vote: sum(equal(vote.answer, other.answer, kind) for other in votes), default=None)


def worth(benchmark: Benchmark, task: Task, text: str | None, rule: Rule = "flexible") -> float | None:
    """The score of a text by one rule; None: the task has no gold."""
    score: float | None = getattr(benchmark.score(task, text), rule)
    return score


def outcome(benchmark: Benchmark, trajectory: Trajectory, rule: Rule = "flexible") -> float | None:
    """The score of a run's reply; a failed run is wrong."""
    leaf = trajectory.leaf
    return worth(benchmark, trajectory.task, None if leaf.error is not None else leaf.content, rule)
