"""Who said what in one finished run, and who read it.

A member is a node of the outermost team that speaks: its messages have words. Switches and other nodes without words of
their own only pass messages on, so they are nobody's readers. Everything here is read from the trajectory alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestra.answers import equal
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.result import Rule
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import AnswerKind, Message, Task


def address(message: Message) -> tuple[str, int]:
    """Path and round of the activation that said it.

    >>> address(Message("debate/ada@2~0f3c", "ada", 2, "91"))
    ('debate/ada', 2)
    """
    path, _, round = message.id.partition("~")[0].rpartition("@")
    return path, int(round)


def spoken(trajectory: Trajectory) -> list[Message]:
    """What the members said, in canonical order. Raises BadInput on a tree, whose leaves are runs of their own."""
    if len(trajectory.leaves) != 1:
        raise BadInput(
            f"trajectory {trajectory.id} has {len(trajectory.leaves)} leaves; expected a run without branches; "
            "fix: diagnose runs of `orchestra eval`"
        )
    deep = [(address(message)[0].count("/"), message) for message in trajectory.messages]
    outermost = min((depth for depth, _ in deep), default=0)
    return [message for depth, message in deep if depth == outermost and message.content.strip()]


def by_sender(messages: Iterable[Message]) -> dict[str, list[Message]]:
    """Each member's messages in order, members in order of their first."""
    found: dict[str, list[Message]] = {}
    for message in messages:
        found.setdefault(message.sender, []).append(message)
    return found


def read_by(saw: Iterable[str], known: Mapping[str, Message]) -> list[Message]:
    """The known messages among those of a view, in its order. One worded for its reader has that reader's name behind
    its id; what is not known (a message to the whole team, one from within a nested team) is left out."""
    found = []
    for seen in saw:
        id = seen
        while id not in known and ">" in id:
            id = id.rpartition(">")[0]
        if id in known:
            found.append(known[id])
    return found


def readers(messages: Sequence[Message]) -> list[tuple[Message, list[Message]]]:
    """Each message with what its speaker had read of the others' messages before saying it."""
    known = {message.id: message for message in messages}
    return [(m, [s for s in read_by(m.saw, known) if s.sender != m.sender]) for m in messages]


def said_in(message: Message, decisions: Sequence[Decision]) -> Decision | None:
    """The call whose words a message is: the last of its activation, or of a team within; None: no single call's."""
    path, round = address(message)
    for made in reversed(decisions):
        within = made.path.startswith(f"{path}/") or (made.path == path and made.round == round)
        if within and made.completion is not None and made.completion.text.strip() == message.content.strip():
            return made
    return None


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
