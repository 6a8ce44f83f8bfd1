"""Transforms of edges: pure, and None is silence. A message keeps its id, so a vote stays the vote that it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestra.errors import BadTeam
from orchestra.team.registry import register
from orchestra.types import Message


@register("when")
@dataclass(frozen=True, slots=True)
class When:
    """A conditional edge: carries the messages for which the predicate holds, and no others."""

    predicate: Callable[[Message], bool]

    def __call__(self, message: Message) -> Message | None:
        return message if self.predicate(message) else None


@register("answer_only")
@dataclass(frozen=True, slots=True)
class AnswerOnly:
    """Carries the answer and nothing of how it came about (MacNet's artefact); a message without one is silence.

    >>> AnswerOnly()(Message("m", "a", 0, "I think it is 91.", answer="91", parsed=91)).content
    '91'
    """

    def __call__(self, message: Message) -> Message | None:
        if message.answer is None:
            return None
        return replace(message, content=message.answer, parsed=None)


@register("truncated")
@dataclass(frozen=True, slots=True)
class Truncated:
    """Carries the first n characters; the typed output of a message that is cut stays behind, as it tells the rest.

    >>> Truncated(5)(Message("m", "a", 0, "I think it is 91.")).content
    'I thi'
    """

    n: int

    def __post_init__(self) -> None:
        if type(self.n) is not int or self.n < 1:
            raise BadTeam(f"truncated n={self.n!r}: expected a whole number of characters from 1")

    def __call__(self, message: Message) -> Message | None:
        return (
            message
            if len(message.content) <= self.n
            else replace(message, content=message.content[: self.n], parsed=None)
        )
