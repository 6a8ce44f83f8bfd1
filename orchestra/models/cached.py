"""A cache around any Model: what was asked before is answered from a file, whoever asked it.

An answer is found by the whole request, with the digest of the weights (base, adapter, tokenizer and template) in place
of the adapter's folder, and with the seed, so that independent draws never collapse. What an answer does not depend on
is left out: of a greedy request the seed, of scored options all but messages and options. What is under way through one
Cached is asked once; whoever waits for it takes its answer, but never its failure, and asks for itself instead.
Failures are not kept.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from orchestra.errors import CallFailed, Damaged
from orchestra.models.answer_store import FIX, AnswerStore
from orchestra.models.model import Model, Scores
from orchestra.models.tape import OUTCOMES, Row, name
from orchestra.types import Completion, Request

T = TypeVar("T")
Asked = Literal["generate", "score"]
Flight = Future[Row | None]
"""An answer under way; None: it came to nothing that others may have."""


class Question(NamedTuple):
    """A request, and all of it that its answer depends on."""

    request: Request
    asked: Request


@dataclass(frozen=True, slots=True)
class Traffic:
    """Where the answers of a cache came from; each request that was answered counts once.

    >>> Traffic(hits=6, joined=2, misses=2).rate
    0.8
    """

    hits: int = 0
    """From the file."""
    joined: int = 0
    """Of a call that was under way for an equal request."""
    misses: int = 0
    """Of the model."""

    @property
    def rate(self) -> float | None:
        """Share of requests that the model was spared; None where there was none."""
        asked = self.hits + self.joined + self.misses
        return (self.hits + self.joined) / asked if asked else None


class Cached:
    """A Model around a Model. May be called from any thread and any loop; several may share one file.

    An answer has the usage of the call that made it, so budgets, transcripts and figures are the same with and without
    a cache; what it saved is in `traffic`. With a model that is not exact, equal requests now get equal answers. The
    file has no bound and nothing in it expires: weights that a server changes behind one name go unnoticed.

    >>> import tempfile
    >>> from orchestra.models.scripted import Scripted
    >>> model = Cached(Scripted(["four"]), Path(tempfile.mkdtemp(), "answers.sqlite"))
    >>> asked = [Request((("user", "2 + 2?"),))]
    >>> asyncio.run(model.generate(asked)) == asyncio.run(model.generate(asked)), model.traffic
    (True, Traffic(hits=1, joined=0, misses=1))
    """

    def __init__(self, model: Model, path: Path) -> None:
        """Raises as `AnswerStore` does."""
        self.name = model.name
        self.capabilities = model.capabilities
        if hasattr(model, "encode"):
            self.encode = model.encode
        self.inner = model
        """The model that is asked."""
        self._store = AnswerStore(path)
        self._flights: dict[str, Flight] = {}
        self._lock = threading.Lock()
        self._traffic = Traffic()

    @property
    def traffic(self) -> Traffic:
        return self._traffic

    def close(self) -> None:
        """Lets go of the file; the model stays open."""
        self._store.close()

    def weights(self, adapter: str = "") -> str:
        return self.inner.weights(adapter)

    def count(self, request: Request) -> int:
        return self.inner.count(request)

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        """As the model does, and Damaged, naming the file, for an answer there that was altered."""
        return await self._answers("generate", requests, self.inner.generate)

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        """As `generate` does."""
        return await self._answers("score", requests, self.inner.score)

    async def _answers(
        self, call: Asked, requests: Sequence[Request], ask: Callable[[Sequence[Request]], Awaitable[Sequence[T]]]
    ) -> list[T]:
        weights = {adapter: self.weights(adapter) for adapter in {request.adapter for request in requests}}
        questions = [Question(request, _essence(call, request, weights[request.adapter])) for request in requests]
        names = [name(call, question.asked) for question in questions]
        wanted = dict(zip(names, questions, strict=True))
        rows: dict[str, Row] = {}
        while left := {key: question for key, question in wanted.items() if key not in rows}:
            own, others = self._board(left)
            rows |= await self._lead(call, own, left, ask)
            for key, flight in others.items():
                if (row := await asyncio.wrap_future(flight)) is not None:
                    rows[key] = row
                    self._tally(joined=1)
        self._tally(joined=len(names) - len(wanted))
        return [getattr(rows[key], OUTCOMES[call]) for key in names]

    def _board(self, left: Iterable[str]) -> tuple[dict[str, Flight], dict[str, Flight]]:
        """The flights that are ours to bring home, begun here, and those of others."""
        with self._lock:
            others = {key: self._flights[key] for key in left if key in self._flights}
            own: dict[str, Flight] = {key: Future() for key in left if key not in others}
            self._flights |= own
        for flight in own.values():
            flight.set_running_or_notify_cancel()  # so that nobody who waits for it can cancel it
        return own, others

    async def _lead(
        self,
        call: Asked,
        own: Mapping[str, Flight],
        wanted: Mapping[str, Question],
        ask: Callable[[Sequence[Request]], Awaitable[Sequence[T]]],
    ) -> dict[str, Row]:
        """Answers of the flights that are ours: from the file, or by one call of the model for all others."""
        try:
            rows = self._known(call, {key: wanted[key] for key in own})
            for key, row in rows.items():
                own[key].set_result(row)
            missing = {key: wanted[key] for key in own if key not in rows}
            if missing:
                made = await ask([question.request for question in missing.values()])
                if len(made) != len(missing):
                    raise CallFailed(f"expected {len(missing)} outcomes, got {len(made)} from {self.name}")
                pairs = zip(missing.items(), made, strict=True)
                fresh = {key: _row(call, question.asked, outcome) for (key, question), outcome in pairs}
                kept = {key: row for key, row in fresh.items() if self._lasts(row, wanted[key])}
                for key, row in kept.items():
                    own[key].set_result(row)
                await asyncio.to_thread(self._store.put, kept)
                self._tally(misses=len(fresh))
                rows |= fresh
            return rows
        finally:
            with self._lock:
                for key, flight in own.items():
                    del self._flights[key]
                    if not flight.done():
                        flight.set_result(None)

    def _known(self, call: Asked, wanted: Mapping[str, Question]) -> dict[str, Row]:
        """What the file holds, each the answer to what was asked, not one that was moved under another name."""
        rows = self._store.get(list(wanted))
        for key, row in rows.items():
            if (row.call, row.asked) != (call, wanted[key].asked) or row.failure:
                raise Damaged(f"{self._store.path}, answer {key}, is the answer to something else; fix: {FIX}")
        self._tally(hits=len(rows))
        return rows

    def _lasts(self, row: Row, question: Question) -> bool:
        """Whether an answer is whole, and by the weights that it was asked of; an adapter may change meanwhile."""
        whole = row.completion is None or row.completion.finish != "cancelled"
        return whole and self.weights(question.request.adapter) == question.asked.adapter

    def _tally(self, *, hits: int = 0, joined: int = 0, misses: int = 0) -> None:
        with self._lock:
            before = self._traffic
            self._traffic = Traffic(before.hits + hits, before.joined + joined, before.misses + misses)


def _essence(call: Asked, request: Request, weights: str) -> Request:
    """All that an answer depends on."""
    if call == "score":  # a grammar is refused by the model, so it must not be found either
        return Request(request.messages, weights, request.options, request.prefix, grammar=request.grammar)
    return replace(request, adapter=weights, seed=request.seed if request.temperature else 0)


def _row(call: Asked, asked: Request, outcome: Any) -> Row:
    return replace(Row(call, asked), **{OUTCOMES[call]: outcome})
