"""A model behind a server that speaks the OpenAI protocol.

It tells words and counts, no token ids; its log-probabilities belong to the unscaled distribution and to tokens without
ids, so none are recorded. What it generates serves SFT and preferences and is refused for RL.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Coroutine, Mapping, Sequence
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, get_args
from urllib.parse import urlsplit

from orchestra.digest import digest
from orchestra.errors import BadInput, missing_extra
from orchestra.models.grammar import follows
from orchestra.models.model import Scores
from orchestra.models.remote import prices, scoring, structured, wire
from orchestra.models.remote.key import Key, key_for
from orchestra.models.remote.prices import Price
from orchestra.models.remote.server import Read, Server
from orchestra.types import Completion, Request, Usage

T = TypeVar("T")

TEMPLATE, TURN = 128, 16
"""Tokens that a chat template may add: once, system prompt of its own included, and for each message."""
PRICES = "ORCHESTRA_PRICES"
ROLES = ("system", "user", "assistant")


class RemoteModel:
    """A model of a server as a Model; it is not repeatable, whatever the seed.

    `api`: chat completions, or text completions, which continue the contents of the messages. `echo`: the server
    repeats prompts with log-probabilities, so that text completions can score options; without it `score` is no
    capability. `stream`: answers come as server-sent events. `price`: None where it is not known; cost is then 0.0, and
    `priced` says so. `grammar`: how the server is asked to hold a reply to a grammar, see `structured`; without it
    `grammar` is no capability. Whether control tokens written in a message are inert is the server's business.
    """

    def __init__(
        self,
        model: str,
        server: Server,
        *,
        api: wire.Api = "chat",
        echo: bool = False,
        stream: bool = False,
        price: Price | None = None,
        grammar: structured.Dialect | None = None,
    ) -> None:
        if echo and api != "completions":
            raise BadInput("expected api='completions' with echo=True, got 'chat': a chat prompt cannot be repeated")
        if grammar == "openai" and api != "chat":
            raise BadInput("expected api='chat' with grammar='openai', got 'completions': response_format is of chats")
        if grammar and find_spec("llguidance") is None:  # a reply that nothing is compared with would pass for one
            raise missing_extra("local", "llguidance")
        self.name = f"openai:{model}@{server.base_url}"
        self.model = model
        self.server = server
        self.capabilities = frozenset((["score"] if echo else []) + (["grammar"] if grammar else []))
        self._api: wire.Api = api
        self._stream = stream
        self._price = price
        self._grammar = grammar
        official = urlsplit(server.base_url).hostname == "api.openai.com"
        self._cap = "max_completion_tokens" if official and api == "chat" else "max_tokens"

    def __repr__(self) -> str:
        return f"RemoteModel({self.name!r})"

    @property
    def priced(self) -> bool:
        """Whether `Usage.cost` means anything."""
        return self._price is not None

    def weights(self, adapter: str = "") -> str:
        """Digest of the server's address, the model's name there and the form of the calls: what is known. Weights that
        are changed behind the same name are not noticed.

        Raises BadInput for an adapter, which would be ignored in silence.
        """
        if adapter:
            raise BadInput(
                f"expected no adapter for {self.name}, got {adapter!r}; fix: have the server load it, and name it there"
            )
        return digest("openai", self.server.base_url, self.model, self._api, *filter(None, [self._grammar]))

    def count(self, request: Request) -> int:
        """An upper bound: a token has at least one byte. Of a request with options, of all that `score` sends."""
        size = sum(TURN + _bytes(content) for _, content in request.messages) + TEMPLATE
        return sum(size + _bytes(option) for option in request.options) or size

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        """One completion a request, in order; each is a call of its own.

        Raises BadInput for a request that cannot be meant, CallFailed with the server's reason otherwise; then none of
        the requests goes on.
        """
        for request in requests:
            self._check(request)
            if request.options:
                raise BadInput(f"expected a request without options, got {request.options!r:.200}; fix: choose")
        return await _together([self._complete(request) for request in requests])

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        """Each option's log-probability as a continuation of the prompt. Raises as `generate` does, and BadInput
        without `echo` or options."""
        if "score" not in self.capabilities:
            raise BadInput(f"{self.name} cannot score options; fix: RemoteModel(..., api='completions', echo=True)")
        for request in requests:
            self._check(request)
            if not request.options or "" in request.options or request.grammar:
                raise BadInput(
                    f"expected options with text and no grammar to score, got {request.options!r:.200}, "
                    f"{request.grammar!r:.100}"
                )
        return await _together([self._score(request) for request in requests])

    def _check(self, request: Request) -> None:
        self.weights(request.adapter)
        if request.grammar and self._grammar is None:
            raise BadInput(
                f"{self.name} holds no reply to a grammar as far as is declared; fix: {structured.VARIABLE}="
                f"{'|'.join(get_args(structured.Dialect))}, a local model, or a role without one"
            )
        if request.grammar:
            follows(request.grammar, "", whole=False)  # raises for one that nothing can follow
        if request.prefix is not None:
            raise BadInput(f"expected whole messages, got a request that extends {request.prefix!r}, unknown here")
        if not request.messages or any(role not in ROLES for role, _ in request.messages):
            raise BadInput(f"expected messages of the roles {', '.join(ROLES)}, got {request.messages!r:.200}")
        if request.max_tokens < 1 or not 0.0 <= request.temperature < math.inf or "" in request.stop:
            raise BadInput(
                f"expected max_tokens >= 1, a finite temperature >= 0 and stop strings with text, got "
                f"{request.max_tokens!r}, {request.temperature!r} and {request.stop!r}"
            )

    async def _complete(self, request: Request) -> Completion:
        body = wire.asked(self.model, request, self._api, stream=self._stream, cap=self._cap)
        read: Read[wire.Reply] = wire.reply
        if request.grammar and self._grammar is not None:
            body |= structured.fields(request.grammar, self._grammar)
            read = partial(structured.reply, request, self._grammar)
        most = self.count(request) + request.max_tokens
        reply, seconds = await self.server.call(wire.PATHS[self._api], body, read, tokens=most)
        cut = min((reply.text.find(stop) for stop in request.stop if stop in reply.text), default=len(reply.text))
        unsaid = min(_bytes(reply.text), request.max_tokens)
        usage = self._usage(reply.usage or wire.Tokens(self.count(request), unsaid), seconds)
        truncated = bool(request.grammar)
        return Completion(reply.text[:cut], None, None, None, None, reply.finish, usage, truncated)

    async def _score(self, request: Request) -> Scores:
        read = partial(scoring.scored, request)
        body = scoring.asked(self.model, request)
        scored, seconds = await self.server.call("completions", body, read, tokens=self.count(request))
        usage = self._usage(scored.usage or wire.Tokens(self.count(request)), seconds)
        return Scores(scored.logprobs, scored.counts, usage)

    def _usage(self, tokens: wire.Tokens, seconds: float) -> Usage:
        """What a call cost; tokens that the server does not tell are charged as the most they can be."""
        said = tokens.prompt_tokens, tokens.completion_tokens
        return Usage(1, *said, self._price.cost(*said) if self._price is not None else 0.0, seconds)


def load(model: str, base_url: str, environment: Mapping[str, str] = os.environ) -> RemoteModel:
    """The chat model that `openai:MODEL@BASE_URL` names. Models of one address share its limits; $ORCHESTRA_PRICES is a
    file as `prices` describes, $ORCHESTRA_GRAMMAR the dialect of `structured` that the server takes. Raises BadInput
    for an address that is never called and for another dialect, BadData for a bad file."""
    table = environment.get(PRICES, "")
    price = prices.read(Path(table)).get(model) if table else None
    grammar = structured.declared(environment)
    return RemoteModel(model, _server(base_url, key_for(base_url, environment)), price=price, grammar=grammar)


@lru_cache
def _server(base_url: str, key: Key) -> Server:
    return Server(base_url, key=key)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


async def _together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All outcomes in order, or the first failure, by when the others have been cancelled and have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
