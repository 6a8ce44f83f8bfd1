"""The one door to the outside: every effect is named here, answered from the journal or performed, and counted.

An effect's name is its causal past: `state` = digest of (seed, task, path, round, call index, draws in the past), and
`Key` = (state, draw). In one run it is journal key, seed of the draw, sibling set of DPO and group of GRPO at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, NamedTuple

from orchestra.digest import canonical, digest
from orchestra.errors import CallFailed, Drift, OrchestraError
from orchestra.trajectory.journal import Entry, Failure, Fork, Journal
from orchestra.types import EMPTY, LATER, Key, Request, Usage, quick

Via = Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]
"""Performs a batch of like effects, outcomes in order: `model.generate`, `choose(model)`, a tool."""


class Speaker(NamedTuple):
    """Who makes an effect, for the record."""

    agent: str
    role: str = ""
    policy: str = ""
    weights: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Call:
    """One effect on its way through the door; two calls are equal if their states are."""

    state: str
    effect: Any = field(compare=False)
    by: Speaker = field(compare=False)
    path: str = field(compare=False)
    round: int = field(compare=False)
    index: int = field(compare=False)
    saw: tuple[str, ...] = field(compare=False)
    bound: Usage = field(compare=False, default=Usage(calls=1))
    """Its worst case."""

    @property
    def where(self) -> str:
        return f"{self.path}, round {self.round}, call {self.index}"


class Drawn(NamedTuple):
    """Which draw was taken, and what it gave."""

    draw: int
    outcome: Any


Door = Callable[[Sequence[Call], Via], Awaitable[Sequence[Drawn]]]
Fetch = Callable[[Sequence[tuple[Call, int]], Via], Awaitable[Sequence[Any]]]
"""Outcomes of (call, draw) pairs, from the journal or performed in one batch."""


def combine(pasts: Sequence[str]) -> str:
    """The name of a causal past that several pasts flow into; the empty past has the empty name.

    >>> combine(["", "a", "a"]), combine([]), combine(["a", "b"]) == combine(["b", "a", ""])
    ('a', '', True)
    """
    distinct = sorted({past for past in pasts if past})
    if len(distinct) <= 1:
        return distinct[0] if distinct else ""
    return digest(*distinct)


def seeded(effect: Any, key: Key) -> Any:
    """The effect as it is performed for one draw: a Request gets its seed from the Key, 63 bits."""
    if isinstance(effect, Request):
        return replace(effect, seed=int(digest(key.state, str(key.draw))[:16], 16) >> 1)
    return effect


def described(effect: Any) -> Any:
    """JSON form of an effect for the journal: without the seed (the Key gives it) and without policy names."""
    names = _described(type(effect))
    if names is None:
        return effect
    form = {name: getattr(effect, name) for name in names}
    return {name: value for name, value in form.items() if name not in LATER or value != LATER[name]}


_names: dict[type, tuple[str, ...] | None] = {}


def _described(kind: type[Any]) -> tuple[str, ...] | None:
    """Fields of an effect's class that are part of its form; None: it is JSON itself."""
    if kind not in _names:
        named = fields(kind) if is_dataclass(kind) else ()
        _names[kind] = tuple(f.name for f in named if f.name not in ("seed", "adapter")) or None
    return _names[kind]


def is_cancelled() -> bool:
    """Whether a CancelledError is meant for this task; if not, what it awaits cancelled itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def perform(pairs: Sequence[tuple[Call, int]], via: Via) -> Sequence[Any]:
    """A Fetch without a journal; CallFailed where the back-end raises, or gives fewer or more outcomes than effects."""
    try:
        outcomes = list(await via([seeded(call.effect, Key(call.state, draw)) for call, draw in pairs]))
    except OrchestraError:
        raise
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise CallFailed("the back-end cancelled itself") from error
    except Exception as error:  # a back-end is the boundary: whatever it raises is a call without an outcome
        raise CallFailed(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
    if len(outcomes) != len(pairs):
        raise CallFailed(
            f"{pairs[0][0].where}: asked for {len(pairs)} outcomes, got {len(outcomes)}; results would shift"
        )
    return outcomes


def journaled(journal: Journal, inner: Fetch = perform) -> Fetch:
    """Answers from the journal, performs the rest in one batch, and writes down what came of it, failures too.

    Raises Drift, naming node and field, where the journal holds another effect under the same key; a Fork does not mind
    what the journal below it holds, and its clocks run anew: how fast the other run was says nothing about this one.
    """

    async def fetch(pairs: Sequence[tuple[Call, int]], via: Via) -> Sequence[Any]:
        forms = [form_of(call.effect, call.by.weights) for call, _ in pairs]
        anew = isinstance(journal, Fork) and getattr(pairs[0][0].effect, "passive", False)
        source = journal.own if isinstance(journal, Fork) and anew else journal
        entries = [source.get(Key(call.state, draw)) for call, draw in pairs]
        for i, ((call, draw), form, entry) in enumerate(zip(pairs, forms, entries, strict=True)):
            if entry is not None and entry.digest != form[0]:
                if not isinstance(journal, Fork) or journal.has(Key(call.state, draw)):
                    raise Drift(_drift(call, entry, form[1]))
                entries[i] = None  # a fork goes its own way from here
        missing = [i for i, entry in enumerate(entries) if entry is None]
        if missing:
            try:
                outcomes = await inner([pairs[i] for i in missing], via)
            except CallFailed as error:
                outcomes = [Failure(str(error))] * len(missing)
            for i, outcome in zip(missing, outcomes, strict=True):
                key = Key(pairs[i][0].state, pairs[i][1])
                journal.put(key, Entry(*forms[i], outcome))
                entries[i] = journal.get(key)  # what a resumed run will see, such as tuples where there were lists
        return [_outcome(entry) for entry in entries if entry is not None]

    return fetch


def single(fetch: Fetch, start: Mapping[str, int] = EMPTY) -> Door:
    """The door of a run without branches: the first draw of every state, or the one that `start` names."""

    async def door(calls: Sequence[Call], via: Via) -> Sequence[Drawn]:
        pairs = [(call, start.get(call.state, 0)) for call in calls]
        return [Drawn(draw, outcome) for (_, draw), outcome in zip(pairs, await fetch(pairs, via), strict=True)]

    return door


def form_of(effect: Any, weights: str) -> tuple[str, Any]:
    """Digest and JSON form of an effect and the weights that answer it, as the journal keeps them."""
    form = described(effect)
    return digest(type(effect).__name__, canonical(form), weights), {"weights": weights, "effect": form}


def _outcome(entry: Entry) -> Any:
    if isinstance(entry.outcome, Failure):
        raise CallFailed(entry.outcome.error)
    return entry.outcome


def _drift(call: Call, entry: Entry, now: Mapping[str, Any]) -> str:
    old = entry.effect if isinstance(entry.effect, Mapping) else {}
    before, after = _flat(old), _flat(now)
    name = next((n for n in after if canonical(before.get(n)) != canonical(after[n])), "effect")
    return (
        f"{call.where}: the journal holds another {name}: it was {before.get(name)!r}, it is {after.get(name)!r}; "
        "fix: go on with what the run was started with, or fork the run (--on-drift branch)"
    )


def _flat(form: Mapping[str, Any]) -> dict[str, Any]:
    inner = form.get("effect")
    return {"weights": form.get("weights"), **(inner if isinstance(inner, Mapping) else {"effect": inner})}
