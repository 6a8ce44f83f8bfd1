"""Weights that answer: the one seam between a team and whatever computes its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from orchestra.types import Completion, Request, Usage


class Scores(NamedTuple):
    """Of one request, for each option in order: raw summed log-probability and token count."""

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    usage: Usage


class Model(Protocol):
    """Weights that answer. Micro-batcher, cache, cassette and scripted double are Models around Models."""

    name: str
    """As `--model` takes it."""
    capabilities: frozenset[str]
    """Of: ids, logprobs, score, grammar, adapters, exact. Checked with the team before the first call.
    `exact` promises that a request's completion does not depend on what else is in the batch."""

    def weights(self, adapter: str = "") -> str:
        """Digest of base weights, adapter, tokenizer, chat template and quantisation: what the journal compares."""
        ...

    def count(self, request: Request) -> int:
        """Prompt tokens of a request, exact or an upper bound; budgets reserve by it."""
        ...

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        """One completion a request, in order. Raises CallFailed rather than return fewer. n siblings: one call of n."""
        ...

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        """The options of each request, scored as continuations of its prompt. Raises where `score` is no capability."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """Base model, adapter, version. Agents share a policy by name, and a team's digest covers the name alone."""

    name: str
    model: Model
    adapter: str = ""
    """A PEFT folder; empty: the base model."""
    version: int = 0

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"
