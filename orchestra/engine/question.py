"""Questions to people. An interrupt is a key that has no answer yet: the run ends there, and once the answer stands in
the journal the same run goes on from it; nothing is called again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from orchestra.engine.door import Via, form_of
from orchestra.errors import BadInput, Interrupted
from orchestra.trajectory.journal import Entry, Journal
from orchestra.trajectory.trajectory import Event
from orchestra.types import FrozenMap, Key


@dataclass(frozen=True, slots=True)
class Question:
    """An effect: a person is asked."""

    text: str
    options: tuple[str, ...] = ()
    """A closed set of answers; empty: any."""

    def check(self, answer: str) -> str:
        """The answer, if it is one of the options; BadInput otherwise."""
        if self.options and answer not in self.options:
            raise BadInput(f"{self.text!r}: expected one of {', '.join(self.options)}, got {answer!r}")
        return answer


Ask = Callable[[Question], Awaitable[str | None]]
"""Puts a question to a person who is there; None: there is no answer yet."""


def asked(ask: Ask | None) -> Via:
    """Performs questions by asking. Raises Interrupted where nobody answers."""

    async def via(questions: Sequence[Question]) -> Sequence[str]:
        answers = []
        for question in questions:
            answer = await ask(question) if ask is not None else None
            if answer is None:
                raise Interrupted(f"a question waits for its answer: {question.text}")
            answers.append(question.check(answer))
        return answers

    return via


def pending(question: Question, state: str) -> FrozenMap[str, str]:
    """What the event of a question that waits tells, beside its text."""
    return FrozenMap({"state": state, "options": json.dumps(question.options)})


def answer(journal: Journal, waiting: Event, text: str) -> None:
    """Puts an answer under the key of a question that waits; the same run goes on with it.

    `waiting` is one of `Trajectory.questions`. Raises BadInput if it is not among its options.
    """
    question = Question(waiting.text, tuple(json.loads(waiting.data["options"])))
    journal.put(Key(waiting.data["state"]), Entry(*form_of(question, ""), question.check(text)))
