"""Options scored by a server that repeats a prompt with its log-probabilities (`echo`): text completions only.

An option's score is the sum over the tokens that begin at or after the prompt's end. Unlike the local back-end's it has
no end of turn, since a base model's text has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from orchestra.models.remote.failure import Failed
from orchestra.models.remote.wire import Count, Tokens, document, prompt
from orchestra.types import Request

LogProbability = Annotated[float, Field(le=0.0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Logprobs:
    """One entry a token."""

    token_logprobs: tuple[LogProbability | None, ...]
    """None: the first token of all, which nothing precedes."""
    text_offset: tuple[Count, ...]
    """Where each begins, in characters of the text sent."""


@dataclass(frozen=True, slots=True)
class Echo:
    """One prompt, repeated."""

    logprobs: Logprobs
    index: Count = 0


@dataclass(frozen=True, slots=True)
class Echoes:
    """An answer."""

    choices: tuple[Echo, ...]
    usage: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """Of each option, in order: summed log-probability and token count."""

    logprobs: tuple[float, ...]
    counts: tuple[int, ...]
    usage: Tokens | None

    @property
    def tokens(self) -> float:
        return self.usage.prompt_tokens if self.usage is not None else float("inf")


_ECHOES = TypeAdapter(Echoes)


def asked(model: str, request: Request) -> dict[str, Any]:
    """The body that has every option scored in one call; nothing is generated."""
    texts = [prompt(request) + option for option in request.options]
    return {"model": model, "prompt": texts, "max_tokens": 0, "echo": True, "logprobs": 1, "temperature": 1.0}


def scored(request: Request, documents: Sequence[bytes]) -> Scored:
    """Reads the answer to `asked`; prompts are matched by their index."""
    read = document(b"".join(documents), _ECHOES)
    by_index = {echo.index: echo.logprobs for echo in read.choices}
    wanted = range(len(request.options))
    if len(read.choices) != len(wanted) or set(by_index) != set(wanted):
        raise Failed(f"expected {len(wanted)} scored prompts, got those of index {sorted(by_index)}", "refused")
    begin = len(prompt(request))
    rows = [_option(option, begin, by_index[index]) for index, option in enumerate(request.options)]
    return Scored(tuple(sum(row) for row in rows), tuple(len(row) for row in rows), read.usage)


def _option(option: str, begin: int, given: Logprobs) -> list[float]:
    """Log-probabilities of an option's tokens; the first must begin where the option does."""
    if len(given.text_offset) != len(given.token_logprobs):
        raise Failed(f"expected {len(given.text_offset)} log-probabilities, got {len(given.token_logprobs)}", "refused")
    pairs = zip(given.text_offset, given.token_logprobs, strict=True)
    row = [x for at, x in pairs if begin <= at < begin + len(option)]
    known = [x for x in row if x is not None]
    if begin not in given.text_offset or len(known) < len(row):
        raise Failed(
            f"expected scored tokens that begin with option {option!r}, got others; "
            "fix: options that do not begin with a space",
            "refused",
        )
    return known
