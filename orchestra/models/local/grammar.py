"""Replies held to a grammar: llguidance says which tokens may come next.

A grammar only takes tokens away. Of what it leaves, the draw is in the model's own proportions, and where one reply
stands in its grammar never depends on another reply.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from orchestra.errors import BadInput, CallFailed, missing_extra
from orchestra.models.grammar import read

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from tokenizers import Tokenizer

BETWEEN = " ?"
"""Between the tokens of a JSON text: at most one space, since free white space may go on for ever. A schema may say
otherwise, under llguidance's own key `x-guidance`."""


class Guide:
    """Where one reply stands in its grammar."""

    def __init__(self, start: LLMatcher, allowed: Tensor) -> None:
        self._matcher = start.deep_copy()
        self.allowed = allowed
        """(V,) bool: the tokens that may come next."""

    @property
    def complete(self) -> bool:
        """Whether nothing can follow any more. A reply that may end here or go on ends by an end token of its own."""
        return self._matcher.is_stopped()

    def accept(self, token: int) -> None:
        """Goes one token on. Raises CallFailed where the grammar grew beyond llguidance's limits, or where the token
        does not fit after all, as with a grammar that spells a control token of the model as text."""
        self._matcher.consume_token(token)
        if not self.complete:
            self.allowed = _allowed(self._matcher)
        if self._matcher.is_error():
            raise CallFailed(f"the grammar cannot be followed any further: {_line(self._matcher.get_error())}")


class Grammars:
    """The grammars of one model, each compiled once. May be called from any thread."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int, ends: tuple[int, ...]) -> None:
        """`vocabulary`: length of the logits; `ends`: tokens that may end a reply."""
        self._encoder, self._vocabulary, self._ends = tokenizer, vocabulary, list(ends)
        self._tokens = lru_cache(1)(self._read_tokens)  # takes 0.4 s for 49,152 tokens: only if there is a grammar
        self._compiled = lru_cache(256)(self._compile)

    def __call__(self, grammar: str) -> Guide:
        """A new reply's guide. Raises BadInput for a text that is no grammar or one that nothing can fulfil, and
        Unavailable where llguidance is not installed."""
        return Guide(*self._compiled(grammar))

    def _read_tokens(self) -> LLTokenizer:
        try:
            from llguidance import LLTokenizer  # noqa: PLC0415  (only replies that are held to a grammar need it)
        except ImportError as error:
            raise missing_extra("local", "llguidance") from error
        return LLTokenizer(self._encoder.to_str(), n_vocab=self._vocabulary, eos_token=self._ends)

    def _compile(self, grammar: str) -> tuple[LLMatcher, Tensor]:
        tokens = self._tokens()
        from llguidance import LLMatcher  # noqa: PLC0415

        matcher = LLMatcher(tokens, _source(grammar), log_level=0)
        allowed = _allowed(matcher)
        if matcher.is_error():
            raise BadInput(
                f"expected a grammar that can be followed, got {grammar!r:.200}: {_line(matcher.get_error())}"
            )
        return matcher, allowed


def _source(grammar: str) -> str:
    """The grammar of a Request in llguidance's terms."""
    from llguidance import LLMatcher  # noqa: PLC0415

    kind, rule = read(grammar)
    if kind == "json_schema":
        return LLMatcher.grammar_from_json_schema(rule, defaults={"whitespace_pattern": BETWEEN})
    return LLMatcher.grammar_from_regex(rule if kind == "regex" else "|".join(map(re.escape, rule)))


def _allowed(matcher: LLMatcher) -> Tensor:
    return torch.frombuffer(bytearray(matcher.compute_logit_bias()), dtype=torch.uint8).bool()


def _line(error: str) -> str:
    return " ".join(error.split())[:300]
