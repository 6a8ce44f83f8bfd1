"""Binary questions put to a model three ways: each alone, each alone with its options swapped, and all in one call.

A Survey is an actor, so its calls are journaled effects like any others: `await run(survey, survey.task)`. What it
found is read from the finished trajectory. Replies that name none of the options, or both, are counted and left out of
every comparison that they would be part of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestra.digest import canonical, digest
from orchestra.engine import Context
from orchestra.errors import BadInput
from orchestra.evaluation.diagnostics.bias import Order, Together, order_effect, together
from orchestra.models.model import Policy
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Reply, Request, Task, View

Choice = bool | None
"""Whether the first of a survey's options was chosen; None: neither, or both."""


@dataclass(frozen=True, slots=True)
class Bias:
    """What one survey showed."""

    n: int
    unparsed: tuple[int, int, int]
    """Replies without a choice: alone, swapped, together."""
    order: Order | None
    """None where no question was answered in both orders."""
    together: Together | None
    """None where no question was answered both alone and together."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Asks; 2n + 1 calls."""

    policy: Policy
    questions: tuple[str, ...]
    options: tuple[str, str] = ("yes", "no")
    temperature: float = 1.0
    words: int = 8
    """Tokens that one answer may take."""

    def __post_init__(self) -> None:
        a, b = self.options
        if not self.questions or not a.strip() or not b.strip() or a.casefold() == b.casefold():
            raise BadInput(
                f"survey: expected questions and two different options, got {len(self.questions)} questions and "
                f"{list(self.options)!r}"
            )

    @property
    def name(self) -> str:
        """Names what it asks, so that two surveys have journals of their own."""
        asked = canonical([list(self.questions), list(self.options), self.temperature, self.words])
        return f"survey-{digest(asked)[:8]}"

    @property
    def task(self) -> Task:
        return Task(self.name, "\n".join(self.questions), choices=self.options)

    async def __call__(self, view: View, ctx: Context) -> Reply:
        first, second = self.options
        alone = [self._request(question, (first, second)) for question in self.questions]
        swapped = [self._request(question, (second, first)) for question in self.questions]
        said = await ctx.all([*alone, *swapped, self._together()], self.policy.model.generate)
        return Reply(said[-1].text)

    def read(self, trajectory: Trajectory) -> Bias:
        """What a finished run of this survey showed. BadInput where the run is another's, or calls failed."""
        said = [made.completion.text for made in trajectory.decisions if made.completion is not None]
        n = len(self.questions)
        if trajectory.task.id != self.name or len(said) != 2 * n + 1:
            raise BadInput(
                f"trajectory {trajectory.id} has {len(said)} replies to {trajectory.task.id!r}; expected {2 * n + 1} "
                f"to {self.name!r}; fix: the run of this survey, without failed calls"
            )
        alone = [chosen(text, self.options) for text in said[:n]]
        swapped = [chosen(text, self.options) for text in said[n : 2 * n]]
        lines = [line for line in said[-1].splitlines() if line.strip()][:n]
        batched = [chosen(line, self.options) for line in lines] + [None] * (n - len(lines))
        both, pairs = _answered(alone, swapped), _answered(alone, batched)
        return Bias(
            n,
            (alone.count(None), swapped.count(None), batched.count(None)),
            # By place: the first option stands first alone, and second where they are swapped.
            order_effect([a for a, _ in both], [not s for _, s in both]) if both else None,
            together([a for a, _ in pairs], [t for _, t in pairs]) if pairs else None,
        )

    def _request(self, question: str, options: tuple[str, str]) -> Request:
        text = f"{question}\nAnswer with one word: {options[0]} or {options[1]}."
        return self._worded(text, self.words)

    def _together(self) -> Request:
        listed = "\n".join(f"{i}. {question}" for i, question in enumerate(self.questions, start=1))
        text = f"{listed}\nAnswer each with one word, {self.options[0]} or {self.options[1]}: one line each, in order."
        return self._worded(text, (self.words + 2) * len(self.questions))

    def _worded(self, text: str, tokens: int) -> Request:
        turns = (("user", text),)
        return Request(turns, adapter=self.policy.adapter, max_tokens=tokens, temperature=self.temperature)


def chosen(text: str, options: tuple[str, str]) -> Choice:
    """Whether a text names the first option, as words and in any case; None where it names none or both.

    >>> chosen("3. Yes!", ("yes", "no")), chosen("I know nothing.", ("yes", "no")), chosen("No.", ("yes", "no"))
    (True, None, False)
    """
    first, second = (re.search(rf"(?<!\w){re.escape(option)}(?!\w)", text, re.IGNORECASE) for option in options)
    return None if bool(first) == bool(second) else bool(first)


def _answered(a: Sequence[Choice], b: Sequence[Choice]) -> list[tuple[bool, bool]]:
    return [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
