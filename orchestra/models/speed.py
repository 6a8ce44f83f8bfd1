"""How fast a model answers on this machine, as a team would ask it: measured at once, on whatever else runs here."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestra.errors import RunFailed
from orchestra.models.model import Model
from orchestra.types import Completion, FrozenMap, Request

IN_FLIGHT: Final = (1, 8, 64)
PROMPTS: Final = 8
WORDS: Final = 300
"""Of a prompt of which nothing but the reading is timed."""


@dataclass(frozen=True, slots=True)
class Speed:
    """One measurement."""

    tokens_per_s: FrozenMap[int, float]
    """Decisions in flight -> tokens said a second, the reading of short prompts included."""
    prefill_tokens_per_s: float
    """Prompt tokens read a second, PROMPTS prompts in flight that share no more than the chat template."""
    peak_bytes: int | None
    """Most memory that this process has held so far, weights included; None where the system does not tell."""


def measure(model: Model, *, tokens: int = 32) -> Speed:
    """Asks for replies of at most `tokens` tokens, after one that warms up. Raises as `model.generate` does, and
    RunFailed for a model that says nothing."""
    return asyncio.run(_measure(model, tokens))


async def _measure(model: Model, tokens: int) -> Speed:
    await model.generate(_questions(2, tokens, seed=0))
    said = {}
    for number in IN_FLIGHT:
        made, seconds = await _timed(model, _questions(number, tokens, seed=number))
        said[number] = sum(completion.usage.tokens_out for completion in made) / seconds
    if not any(said.values()):
        raise RunFailed(f"expected replies with words from {model.name}, got none; fix: another model")
    made, seconds = await _timed(model, [_long(number) for number in range(PROMPTS)])
    read = sum(completion.usage.tokens_in for completion in made)
    return Speed(FrozenMap(said), read / seconds, peak_bytes())


def peak_bytes() -> int | None:
    """Most memory that this process has held."""
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


async def _timed(model: Model, requests: Sequence[Request]) -> tuple[Sequence[Completion], float]:
    began = time.perf_counter()
    made = await model.generate(requests)
    return made, time.perf_counter() - began


def _questions(number: int, tokens: int, *, seed: int) -> list[Request]:
    """Short decisions, no two alike; stories, so that few end before the cap."""
    return [
        Request((("user", f"Tell me a long story about the number {100 * seed + i}."),), max_tokens=tokens, seed=i)
        for i in range(number)
    ]


def _long(number: int) -> Request:
    words = " ".join(f"{(number + 1) * i}" for i in range(WORDS // 2)) + " and so on" * (WORDS // 6)
    return Request((("user", f"{number}: {words}"),), max_tokens=1)
