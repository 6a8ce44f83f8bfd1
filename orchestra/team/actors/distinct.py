"""An agent that is shown each answer once, since what is said again costs tokens and tells nothing (S2-MAD).

What it is not shown has reached it all the same: `Message.saw` lists its whole inbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestra.answers import equal
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.types import AnswerKind, Message, Reply, Usage, View


@register("same")
@dataclass(frozen=True, slots=True)
class Same:
    """Equality of answers of one kind, for votes and quorums.

    >>> Same("number")("18", "18.0"), Same("code")("18", "18.0")
    (True, False)
    """

    kind: AnswerKind

    def __call__(self, a: str, b: str) -> bool:
        return equal(a, b, self.kind)


@register("distinct")
@dataclass(frozen=True, slots=True)
class Distinct:
    """Shows an agent one message of each answer, the first in its inbox; those without an answer are all shown."""

    agent: Agent
    kind: AnswerKind = "text"
    """By which answers are the same."""

    @property
    def name(self) -> str:
        return self.agent.name

    @property
    def manner(self) -> str:
        return "hears each answer once"

    def bound(self, view: View) -> Usage | None:
        return self.agent.bound(self._shown(view))

    def speaker(self) -> Speaker:
        return self.agent.speaker()

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return await self.agent(self._shown(view), ctx)

    def _shown(self, view: View) -> View:
        return replace(view, inbox=distinct(view.inbox, self.kind))


def distinct(inbox: Sequence[Message], kind: AnswerKind) -> tuple[Message, ...]:
    """The first message of each answer, and all that have none, in their order.

    >>> said = [Message(str(i), "a", 0, "", answer=answer) for i, answer in enumerate(("18", "18.0", None, "7"))]
    >>> [message.answer for message in distinct(said, "number")]
    ['18', None, '7']
    """
    kept: list[Message] = []
    for message in inbox:
        if not any(equal(message.answer, other.answer, kind) for other in kept):
            kept.append(message)
    return tuple(kept)
