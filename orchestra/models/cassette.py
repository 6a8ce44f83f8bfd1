"""Cassettes: a Model's answers written to a file, and given again without its weights.

Answers are found by the whole request, with the digest of the weights in place of the adapter's folder. What was asked
for the k-th time gets the k-th answer, so that independent draws stay apart; a model that promises `exact` has one
answer to a request, and gives it again. Whatever was not recorded is a Drift, which no run takes for a failed call.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from orchestra.errors import BadInput, CallFailed, Drift
from orchestra.models.model import Model, Scores
from orchestra.models.nearest import difference, nearest
from orchestra.models.tape import OUTCOMES, SCHEMA, Call, Encoded, Label, Row, Tape, read
from orchestra.types import Completion, Request

T = TypeVar("T")


class Cassette:
    """A Model around a Model, or in its place. May be called from any thread.

    Recording asks the model each time, also for what the file holds already, and writes behind it. A call that failed
    is replayed as one; a call that was cancelled left no answer. A cassette holds one version of the weights of an
    adapter folder. `encode` is there where the recorded model has it.

    >>> import asyncio, tempfile
    >>> from orchestra.models.scripted import Scripted
    >>> file, asked = Path(tempfile.mkdtemp(), "talk.jsonl"), [Request((("user", "2 + 2?"),))]
    >>> recorder = Cassette(Scripted(["four"]), file, mode="record")
    >>> asyncio.run(recorder.generate(asked)) == asyncio.run(Cassette(None, file).generate(asked))
    True
    """

    def __init__(self, model: Model | None, path: Path, *, mode: Literal["record", "replay"] = "replay") -> None:
        """To replay takes no model: the one given is left alone. Raises as `tape.read` and `tape.Tape` do."""
        if mode not in ("record", "replay"):
            raise BadInput(f"expected mode 'record' or 'replay', got {mode!r}")
        self._path, self._tape = path, None
        self.inner: Model | None = None
        if mode == "replay":
            label, rows = read(path)
        elif model is None:
            raise BadInput(f"expected a model to record at {path}, got None; fix: pass it, or mode='replay'")
        else:
            label = Label(SCHEMA, model.name, tuple(sorted(model.capabilities)), hasattr(model, "encode"))
            self.inner, self._tape = model, Tape(path, label)
            rows = self._tape.rows
        self.name = label.model
        self.capabilities = frozenset(label.capabilities)
        if label.encodes:
            self.encode = self._encode
        self._rows: dict[tuple[Call, Request], list[Row]] = defaultdict(list)
        self._told: Counter[tuple[Call, Request]] = Counter()
        self._lock = threading.RLock()
        self._hold(rows)

    def close(self) -> None:
        """Lets others record on this file; the model stays open."""
        if self._tape is not None:
            self._tape.close()

    def weights(self, adapter: str = "") -> str:
        """As recorded. Raises Drift, while recording, where the weights are no longer those of the cassette."""
        asked = Request((), adapter=adapter)
        now = self.inner.weights(adapter) if self.inner else ""
        recorded = self._fact("weights", asked, lambda model: now)
        if now and now != recorded:
            raise Drift(
                f"{self._path} was recorded with the weights {recorded} of adapter {adapter!r}, they are {now} now; "
                "fix: choose another file"
            )
        return str(recorded)

    def count(self, request: Request) -> int:
        return int(self._fact("count", self._prompt(request), lambda model: model.count(request)))

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        return await self._answers("generate", requests, lambda model: model.generate(requests))

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        return await self._answers("score", requests, lambda model: model.score(requests))

    def _encode(self, request: Request) -> Encoded:
        asked = self._prompt(request)
        return self._fact("encode", asked, lambda model: model.encode(request))  # type: ignore[attr-defined, no-any-return]

    def _fact(self, call: Call, asked: Request, ask: Callable[[Model], Any]) -> Any:
        """What stays the same however often it is asked: recorded once."""
        with self._lock:
            if (call, asked) not in self._rows:
                if self.inner is None:
                    raise self._miss(call, asked)
                self._keep([_row(call, asked, ask(self.inner))])
            return _outcome(self._rows[call, asked][0])

    async def _answers(
        self, call: Call, requests: Sequence[Request], ask: Callable[[Model], Awaitable[Sequence[T]]]
    ) -> Sequence[T]:
        asked = [replace(request, adapter=self.weights(request.adapter)) for request in requests]
        if self.inner is None:
            with self._lock:
                return [_outcome(row) for row in [self._next(call, one) for one in asked]]
        for request in requests:
            self.count(request)  # a replay may want to know, whether or not this run did
        try:
            made = await ask(self.inner)
        except CallFailed as error:
            self._keep([Row(call, one, failure=str(error)) for one in asked])
            raise
        if len(made) != len(asked):
            raise CallFailed(f"expected {len(asked)} outcomes, got {len(made)} from {self.name}")
        self._keep([_row(call, one, outcome) for one, outcome in zip(asked, made, strict=True)])
        return made

    def _prompt(self, request: Request) -> Request:
        """What a count or an encoding depends on."""
        adapter = self.weights(request.adapter)
        return Request(request.messages, adapter=adapter, options=request.options, prefix=request.prefix)

    def _keep(self, rows: Sequence[Row]) -> None:
        assert self._tape is not None  # rows are kept while recording
        with self._lock:
            self._tape.append(rows)
            self._hold(rows)

    def _hold(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._rows[row.call, row.asked].append(row)

    def _next(self, call: Call, asked: Request) -> Row:
        """The answer to a request that is asked once more."""
        rows, told = self._rows.get((call, asked)), self._told[call, asked]
        if rows is None:
            raise self._miss(call, asked)
        self._told[call, asked] += 1
        if told >= len(rows) and "exact" not in self.capabilities:
            raise Drift(
                f"{self._path} holds {len(rows)} answers to {call} {_shown(asked)}, and it was asked {told + 1} times; "
                "a model that is not exact may answer anew; fix: record it again"
            )
        return rows[min(told, len(rows) - 1)]

    def _miss(self, call: Call, asked: Request) -> Drift:
        known = nearest(asked, (other for kind, other in self._rows if kind == call))
        near = f"the nearest one differs in {difference(asked, known)}" if known else f"it holds no {call} at all"
        return Drift(f"{self._path} holds no answer to {call} {_shown(asked)}; {near}; fix: record it (mode='record')")


def _row(call: Call, asked: Request, outcome: Any) -> Row:
    return replace(Row(call, asked), **{OUTCOMES[call]: outcome})


def _outcome(row: Row) -> Any:
    if row.failure:
        raise CallFailed(row.failure)
    return getattr(row, OUTCOMES[row.call])


def _shown(asked: Request) -> str:
    return f"{asked.messages[-1]!r:.120}" if asked.messages else f"of adapter {asked.adapter!r}"
