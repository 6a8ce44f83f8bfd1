"""Scripted doubles: models whose replies are written down, and which record every request they get."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestra.digest import digest
from orchestra.errors import BadData, CallFailed
from orchestra.models.model import Scores
from orchestra.types import Completion, Request, Usage

Script = Callable[[Request], str]


class Scripted:
    """A model that answers from a list, in order, or by a function of the request; `calls` holds what it was asked.

    Tokens are counted as words. `output_ids` are made up from the text, so that records are complete; there are no
    log-probabilities. With a list, a call past its end raises CallFailed.

    >>> model = Scripted(["four"])
    >>> asyncio.run(model.generate([Request((("user", "2 + 2?"),))]))[0].text
    'four'
    >>> len(model.calls)
    1
    """

    capabilities = frozenset({"ids", "score", "adapters", "exact"})

    def __init__(
        self,
        script: Sequence[str] | Script,
        *,
        name: str = "scripted",
        delay: Callable[[Request], float] | None = None,
        preference: Callable[[Request, str], float] | None = None,
    ) -> None:
        self.name = name
        self.calls: list[Request] = []
        self.batches: list[int] = []
        self._script = script if callable(script) else _in_order(list(script))
        self._delay = delay
        self._preference = preference or (lambda request, option: 0.0)

    def weights(self, adapter: str = "") -> str:
        return digest("scripted", self.name, adapter)

    def count(self, request: Request) -> int:
        return sum(len(content.split()) for _, content in request.messages)

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        self.batches.append(len(requests))
        self.calls.extend(requests)
        if self._delay is not None:
            await asyncio.sleep(max(self._delay(request) for request in requests))
        return [self._completion(request, self._script(request)) for request in requests]

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        self.batches.append(len(requests))
        self.calls.extend(requests)
        return [
            Scores(
                tuple(self._preference(request, option) for option in request.options),
                tuple(len(option.split()) for option in request.options),
                Usage(calls=1, tokens_in=self.count(request), tokens_out=1),
            )
            for request in requests
        ]

    def _completion(self, request: Request, said: str) -> Completion:
        cut = min((said.find(stop) for stop in request.stop if stop in said), default=len(said))
        words = said[:cut].split()
        ids = tuple(int(digest(word)[:6], 16) for word in words)
        usage = Usage(calls=1, tokens_in=self.count(request), tokens_out=len(words))
        return Completion(said[:cut], (), ids, None, (1,) * len(ids), "stop", usage)


def _in_order(script: list[str]) -> Script:
    left = iter(script)

    def say(request: Request) -> str:
        try:
            return next(left)
        except StopIteration:
            raise CallFailed(f"the script has no reply left after {len(script)} calls") from None

    return say


def load(path: Path) -> Scripted:
    """A model that replies with the lines of a text file, again from the top at its end; BadData if it has none."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"script {str(path)!r}: {error}; expected a text file with one reply a line") from None
    if not lines:
        raise BadData(f"script {str(path)!r} holds no reply; expected one a line")
    said = [0]

    def say(request: Request) -> str:
        said[0] += 1
        return lines[(said[0] - 1) % len(lines)]

    return Scripted(say, name=f"scripted:{path}")
