"""What one activation may do: reach outside through the door, draw random numbers, open a child, stream words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from math import inf
from operator import add
from random import Random
from typing import Any, Literal, NamedTuple

from orchestra.digest import digest
from orchestra.engine.budget import Budget, Ledger
from orchestra.engine.door import Call, Door, Speaker, Via, combine
from orchestra.engine.limit import Limit
from orchestra.engine.question import Question, asked, pending
from orchestra.errors import CallFailed, Interrupted
from orchestra.trajectory.journal import Journal
from orchestra.trajectory.trajectory import Decision, Event
from orchestra.types import EMPTY, Completion, FrozenMap, Key, Message, Request, Usage

Schedule = Literal["sequential", "speculative"]
ONE_CALL = Usage(calls=1)
NOTHING = Usage()
"""What a record without calls has spent; it is this very object, so that adding it up can be left out."""


class Notice(NamedTuple):
    """Something to show while a run goes on.

    What an activation and those within it show is provisional until its own message comes; `squashed` takes it back.
    """

    kind: Literal["started", "delta", "decision", "message", "failed", "squashed", "stop"]
    path: str
    round: int
    text: str = ""
    data: Any = None
    """The Decision, or the Message."""
    to: tuple[str, ...] = ()
    """Nodes that a message goes to."""


class Allowance(NamedTuple):
    """What an activation that runs ahead may spend: it is held for all its calls together."""

    worst: Usage
    role: str


@dataclass(slots=True)
class Scope:
    """What the activations of one leaf share."""

    root: str
    """Digest of seed and task."""
    door: Door
    schedule: Schedule = "sequential"
    ask: Via | None = None
    """Performs questions to people."""
    signals: Mapping[str, asyncio.Event] = EMPTY
    """What stops may wait for, by name."""
    width: bool = True
    """Whether activations may run at the same time."""
    notify: Callable[[Notice], None] | None = None
    journal: Journal | None = None
    waste: Usage = Usage()
    capped: bool = False
    """Whether something beside the contexts' own ledgers, such as the cap of a tree, wants to know worst cases."""


class Record:
    """What one activation did, in order; the records of its children stand where they were opened."""

    __slots__ = ("items", "usage")

    def __init__(self) -> None:
        self.items: list[Decision | Message | Event | Record] = []
        self.usage = NOTHING

    def flat(self) -> list[Decision | Message | Event]:
        """Everything in it, depth first."""
        items: list[Decision | Message | Event] = []
        for item in self.items:
            if isinstance(item, Record):
                items.extend(item.flat())
            else:
                items.append(item)
        return items

    def total(self) -> Usage:
        """Of this record and all within it."""
        usage = self.usage
        for item in self.items:
            if isinstance(item, Record) and (part := item.total()) is not NOTHING:
                usage = usage + part
        return usage


class Context:
    """The only door to the outside; lives for one activation."""

    __slots__ = (
        "_children", "_index", "_inside", "_parent", "_past", "_rngs", "_turn", "allowance", "cap", "due", "ledger",
        "limit", "path", "private", "record", "round", "rounds", "saw", "scope", "stopped_by",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        path: str,
        round: int = 0,
        past: str = "",
        saw: tuple[str, ...] = (),
        ledger: Ledger | None = None,
        parent: Context | None = None,
        private: Mapping[str, str] = EMPTY,
        limit: Limit | None = None,
    ) -> None:
        self.scope = scope
        self.path = path
        self.round = round
        self.saw = saw
        self.ledger = ledger
        self.private = private
        """Lines of Task.private for seats that no team above has."""
        self.limit = limit
        self.record = Record()
        self.allowance: Allowance | None = None
        self.due = True
        """Whether all before it, in its own team, is committed."""
        self._turn: asyncio.Event | None = None
        self.stopped_by = ""
        self.cap: Ledger | None = None
        """Where a spent budget stopped the team that ran in it: whose; None: that of a whole tree."""
        self.rounds = 0
        self._past = past
        self._parent = parent
        self._children: list[Context] | None = None
        self._index = 0
        self._rngs = 0
        self._inside = 0  # effects under way, here and below

    @property
    def past(self) -> str:
        """Name of the draws in this activation's causal past, so far."""
        if not self._children:
            return self._past
        return combine([self._past, *(child.past for child in self._children)])

    @property
    def capped(self) -> bool:
        """Whether any cap asks for the worst case of a call; without one nobody need count tokens beforehand."""
        return self.ledger is not None or self.scope.capped

    def absorb(self, pasts: Sequence[str]) -> None:
        """Adds draws to this activation's causal past."""
        self._past = combine([self._past, *pasts])

    async def do(self, effect: Any, via: Via, *, by: Speaker | None = None, bound: Usage = ONE_CALL) -> Any:
        """Performs one effect and returns its outcome. `bound` is its worst case, held under the budget before it runs.

        Raises CallFailed where there is no outcome, BudgetSpent where the worst case does not fit.
        """
        return (await self.all([effect], via, by=by, bound=bound))[0]

    async def all(
        self, effects: Sequence[Any], via: Via, *, by: Speaker | None = None, bound: Usage = ONE_CALL
    ) -> Sequence[Any]:
        """Performs several effects together, as one ordered batch; `bound` is the worst case of each."""
        if not effects:
            return []
        self._alone("effects of one activation overlap; await each, or use ctx.all for a batch")
        self._enter(1)
        try:
            if any(getattr(effect, "writes", False) for effect in effects):
                await self._oldest()
            return await self._perform(self._calls(effects, by or Speaker(self.path.rpartition("/")[2]), bound), via)
        finally:
            self._enter(-1)

    async def ask(self, text: str, options: Sequence[str] = ()) -> str:
        """Asks a person. Raises Interrupted where nobody answers: then the run ends, and goes on once it has one."""
        question = Question(text, tuple(options))
        said = str(await self.do(question, self.scope.ask or asked(None), bound=NOTHING))
        self.event("question", text, FrozenMap({"answer": said}))
        return said

    @contextmanager
    def limited(self, run: float = inf, idle: float = inf) -> Iterator[None]:
        """Within it a call fails once all have taken `run` seconds, or once nothing was heard for `idle` seconds."""
        outer, self.limit = self.limit, Limit(run, idle, self.limit)
        try:
            yield
        finally:
            self.limit = outer

    def rng(self) -> Random:
        """A generator keyed by this activation's causal past; the same on every replay."""
        self._rngs += 1
        return Random(digest(self.scope.root, self.path, str(self.round), self.past, "rng", str(self._rngs)))

    def child(self, name: str, *, budget: Budget | None = None) -> Context:
        """A context below this one, for an actor that this actor calls, under a cap of its own if one is given."""
        self._alone("a child is opened while effects are under way; open children before any of them runs")
        path = f"{self.path}/{name}"
        same = sum(child.path == path or child.path.startswith(f"{path}#") for child in self._children or ())
        ledger = Ledger(budget, self.ledger) if budget else self.ledger
        made = Context(
            self.scope, f"{path}#{same + 1}" if same else path, self.round, self.past, self.saw, ledger, self,
            self.private, self.limit,
        )  # fmt: skip
        if budget is None:
            made.allowance = self.allowance
        self.record.items.append(made.record)
        self._children = [*(self._children or ()), made]
        return made

    def emit(self, delta: str) -> None:
        """Streams words to whoever listens; no decision reads them."""
        if self.limit is not None:
            self.limit.heard()
        if self.scope.notify is not None:
            self.scope.notify(Notice("delta", self.path, self.round, delta))

    def event(self, kind: Any, text: str = "", data: FrozenMap[str, str] | None = None) -> None:
        """Puts an event on the record."""
        self.record.items.append(Event(kind, self.path, self.round, text, data or EMPTY))

    def flag(self, error: str) -> None:
        """Marks the last decision of this activation, such as one whose text could not be parsed."""
        for i in range(len(self.record.items) - 1, -1, -1):
            item = self.record.items[i]
            if isinstance(item, Decision):
                self.record.items[i] = _with_error(item, error)
                return

    def _alone(self, otherwise: str) -> None:
        """Raises unless nothing is under way: what is named meanwhile would be named by the order of arrival."""
        if self._inside:
            raise RuntimeError(f"{self.path}: {otherwise}")

    def _enter(self, step: int) -> None:
        context: Context | None = self
        while context is not None:
            context._inside += step
            context = context._parent

    def _calls(self, effects: Sequence[Any], by: Speaker, bound: Usage) -> list[Call]:
        root, past = self.scope.root, self.past
        calls = []
        for effect in effects:
            state = digest(root, self.path, str(self.round), str(self._index), past)
            calls.append(Call(state, effect, by, self.path, self.round, self._index, self.saw, bound))
            self._index += 1
        return calls

    async def _perform(self, calls: list[Call], via: Via) -> Sequence[Any]:
        ledger = self.ledger if self.allowance is None else None
        worst = _sum([call.bound for call in calls]) if ledger is not None else NOTHING
        if ledger is not None:
            ledger.hold(worst, calls[0].by.role)
        spent = NOTHING
        try:
            drawn = await self.scope.door(calls, via if self.limit is None else self.limit.around(via))
            outcomes = [outcome for _, outcome in drawn]
            spent = _sum([_usage(outcome) for outcome in outcomes])
            for call, (draw, outcome) in zip(calls, drawn, strict=True):
                self._note(call, draw, outcome)
            self._past = combine([f"{call.state}.{draw}" for call, (draw, _) in zip(calls, drawn, strict=True)])
            return outcomes
        except asyncio.CancelledError:
            self.record.usage = self.record.usage + _made(calls)  # begun, and nobody waits for what it gives: waste
            raise
        except CallFailed as error:
            spent = _made(calls)
            self._past = combine([self._past, *(f"{call.state}.failed" for call in calls)])
            for call in calls:
                self._note_failure(call, str(error))
            raise
        except Interrupted:
            for call in calls:
                self.event("question", call.effect.text, pending(call.effect, call.state))
            raise
        finally:
            self.record.usage = _sum([self.record.usage, spent])
            if ledger is not None:
                ledger.settle(worst, spent, calls[0].by.role)

    def _note(self, call: Call, draw: int, outcome: Any) -> None:
        if isinstance(outcome, Completion):
            made = decision(call, draw, outcome)
            self.record.items.append(made)
            if self.scope.notify is not None:
                self.scope.notify(Notice("decision", self.path, self.round, outcome.text, made))

    def _note_failure(self, call: Call, error: str) -> None:
        if isinstance(call.effect, Request):
            made = _with_error(decision(call, 0, None), error)
            self.record.items.append(made)
            if self.scope.notify is not None:
                self.scope.notify(Notice("decision", self.path, self.round, data=made))
        self.event("failure", error)

    def is_due(self) -> None:
        """All before it is committed: what waited for that goes on."""
        self.due = True
        if self._turn is not None:
            self._turn.set()

    async def _oldest(self) -> None:
        """Returns once this activation is the oldest in every enclosing team and all before it is on disk."""
        context: Context | None = self
        while context is not None:
            if not context.due:
                context._turn = context._turn or asyncio.Event()
                await context._turn.wait()
            context = context._parent
        if self.scope.journal is not None:
            await self.scope.journal.flushed()


def decision(call: Call, draw: int, outcome: Completion | None) -> Decision:
    """The record of one model call."""
    return Decision(
        Key(call.state, draw), call.saw, call.by.agent, call.by.role, call.path, call.round, call.index,
        call.by.policy, call.by.weights, call.effect, outcome,
    )  # fmt: skip


def _with_error(made: Decision, error: str) -> Decision:
    return Decision(
        made.key, made.saw, made.agent, made.role, made.path, made.round, made.index, made.policy, made.weights,
        made.request, made.completion, error,
    )  # fmt: skip


def _usage(outcome: Any) -> Usage:
    usage = getattr(outcome, "usage", None)
    return usage if isinstance(usage, Usage) else NOTHING


def _made(calls: Sequence[Call]) -> Usage:
    """What calls without outcomes have spent; a pause is no call."""
    return Usage(calls=sum(call.bound.calls for call in calls))


def _sum(usages: Sequence[Usage]) -> Usage:
    """What they add up to; of one alone it is that one."""
    spent = [usage for usage in usages if usage is not NOTHING]
    return reduce(add, spent) if spent else NOTHING
