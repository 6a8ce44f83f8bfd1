"""What a team would cost, without a call: its prompts are rendered and counted, its replies are taken from a sample.

The team runs as it would, on a model that counts tokens as the real one does and always says what was said before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestra.models.model import Model, Policy, Scores
from orchestra.types import Completion, Request, Usage


@dataclass(slots=True)
class Line:
    """What is said at a rehearsal; set anew for every task."""

    text: str = "The answer is 0."
    tokens: float | None = 0.0
    """How long a reply counts; None: as long as it may be."""


class Rehearsal:
    """A model that makes no call: counts and digests are those of the real one, the words those of the line."""

    def __init__(self, model: Model, line: Line) -> None:
        self.name = model.name
        self.capabilities = model.capabilities
        self.weights = model.weights
        self.count = model.count
        self._line = line

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        return [self._reply(request) for request in requests]

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        even = [(0.0,) * len(request.options) for request in requests]
        return [
            Scores(same, (1,) * len(same), Usage(1, self.count(request), 1))
            for same, request in zip(even, requests, strict=True)
        ]

    def _reply(self, request: Request) -> Completion:
        tokens = self._line.tokens
        out = request.max_tokens if tokens is None else round(min(tokens, request.max_tokens))
        return Completion(self._line.text, None, None, None, None, "stop", Usage(1, self.count(request), out))


def rehearsing(policy: Policy, line: Line) -> Policy:
    """The policy as it is at a rehearsal."""
    return replace(policy, model=Rehearsal(policy.model, line))
