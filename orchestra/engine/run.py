"""One task, run once: the actor's reply and everything that led to it, as a Trajectory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from orchestra.digest import canonical, digest
from orchestra.engine.actor import Actor
from orchestra.engine.budget import Budget, Ledger
from orchestra.engine.context import Context, Notice, Schedule, Scope
from orchestra.engine.door import Fetch, journaled, perform, single
from orchestra.engine.question import Ask, asked
from orchestra.engine.rebuild import rebuilt
from orchestra.errors import BadInput, BudgetSpent, Damaged, Drift, Interrupted, OrchestraError, Unavailable
from orchestra.trajectory.journal import Journal, MemoryJournal
from orchestra.trajectory.trajectory import Decision, Event, Leaf, Trajectory
from orchestra.types import EMPTY, Message, Reply, Task, View


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises the first failure itself, where asyncio's raises a group of them."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


def as_task(task: Task | str) -> Task:
    """A Task; a bare text becomes one that is named by its content."""
    return _digested(task)[0]


def task_digest(task: Task) -> str:
    """Of what a team can see of a task; ids, gold answers and splits do not count."""
    private = canonical(dict(task.private)) if task.private else "{}"
    choices = canonical(list(task.choices)) if task.choices else "[]"
    return digest(task.prompt, task.kind, private, choices)


def _digested(task: Task | str) -> tuple[Task, str]:
    if isinstance(task, Task):
        return task, task_digest(task)
    content = task_digest(Task("", task))
    return Task(f"text/{content[:8]}", task), content


def run_id(actor: Actor, task: Task, seed: int, content: str = "") -> str:
    """Names one team on one task with one seed. `content` is the task's digest, where it is known already."""
    return run_name(team_digest(actor), task, seed, content)


def run_name(team: str, task: Task, seed: int, content: str = "") -> str:
    """The same of a team that is known by its digest."""
    return digest(team, task.id, content or task_digest(task), str(seed))[:16]


def team_digest(actor: Actor) -> str:
    """Of the saved form, where the actor has one; else of its name."""
    return str(getattr(actor, "digest", "") or digest(name_of(actor)))


def name_of(actor: Actor) -> str:
    """What the actor is called in addresses."""
    return str(getattr(actor, "name", "") or getattr(actor, "__name__", "") or type(actor).__name__)


def run(
    actor: Actor,
    task: Task | str,
    *,
    seed: int = 0,
    budget: Budget | Ledger | None = None,
    journal: Journal | None = None,
    schedule: Schedule = "sequential",
    start: Mapping[str, int] = EMPTY,
    ask: Ask | None = None,
    signals: Mapping[str, asyncio.Event] = EMPTY,
    notify: Callable[[Notice], None] | None = None,
    rebuild: bool = False,
) -> Coroutine[Any, Any, Trajectory]:
    """One task; to be awaited. A failed run returns its trajectory too, the error on its leaf; bad input, drift and
    damage raise. What it returns is on disk: the journal is flushed first.

    `start` gives draws other than the first, by state: what follows from such a decision is drawn anew, all else is
    found in the journal. `ask` puts questions to a person; where nobody answers, the run ends with
    `stopped_by="question"`. `signals` are what stops of the kind `Signal` wait for. With `rebuild` the run begins anew
    after every effect, and knows only what the journal tells; it tells `notify` nothing.
    """
    if schedule not in ("sequential", "speculative"):
        raise BadInput(f"schedule {schedule!r}: expected 'sequential' or 'speculative'")
    task, content = _digested(task)
    root, id = digest(str(seed), content), run_id(actor, task, seed, content)
    if start:
        id = digest(id, canonical(dict(start)))[:16]

    def attempt(fetch: Fetch | None, tell: Callable[[Notice], None] | None) -> Coroutine[Any, Any, Trajectory]:
        door = _UNKEPT if fetch is None and not start else single(fetch or perform, start)
        scope = Scope(root, door, schedule, asked(ask) if ask else None, signals, notify=tell, journal=journal)
        ledger = Ledger(budget) if isinstance(budget, Budget) else budget and budget.anew()
        ctx = Context(scope, name_of(actor), ledger=ledger, private=task.private)
        return _attempt(id, actor, task, seed, ctx)

    if rebuild:
        kept = journal = journal or MemoryJournal()
        return rebuilt(lambda fetch: attempt(fetch, None), kept)
    return attempt(journaled(journal) if journal is not None else None, notify)


async def _attempt(id: str, actor: Actor, task: Task, seed: int, ctx: Context) -> Trajectory:
    reply, failure = Reply(), None
    try:
        reply = await actor(entry(actor, task), ctx)
    except Exception as error:  # noqa: BLE001  (a failed run is a trajectory too)
        failure = error
    leaf, items = ended(ctx, reply, failure)
    if ctx.scope.journal is not None:
        await ctx.scope.journal.flushed()
    return assemble(id, task, seed, team_digest(actor), [leaf], [items], waste=ctx.scope.waste)


_UNKEPT = single(perform)
"""The door of a run without a journal."""


def entry(actor: Actor, task: Task) -> View:
    """What an actor sees that is asked directly."""
    name = name_of(actor)
    return View(task.prompt, private=task.private.get(name, ""), seat=name)


def ended(ctx: Context, reply: Reply, failure: Exception | None) -> tuple[Leaf, list[Decision | Message | Event]]:
    """How a run ended, and its flat record. Raises the failure again if it is no data: bad input, drift, damage."""
    reason, error = ctx.stopped_by or "done", None
    if isinstance(failure, BudgetSpent):
        reason = "budget"
        ctx.event("budget", str(failure))
    elif isinstance(failure, Interrupted):
        reason = "question"
    elif isinstance(failure, (BadInput, Drift, Damaged, Unavailable)):
        raise failure
    elif failure is not None:
        reason, error = "error", _line(failure)
        ctx.event("failure", error)
    items = ctx.record.flat()
    decisions = [item for item in items if isinstance(item, Decision)]
    taken = tuple([made.key for made in decisions if made.completion is not None])
    if decisions and not taken and error is None and reply.answer is None and not reply.content:
        error = decisions[0].error  # every node abstained, since no call gave a reply: the run failed
    return Leaf(taken, reply.answer, reason, ctx.record.total(), ctx.rounds, reply.content, error), items


def assemble(
    id: str,
    task: Task,
    seed: int,
    team: str,
    leaves: list[Leaf],
    records: list[list[Decision | Message | Event]],
    **rest: Any,
) -> Trajectory:
    """One trajectory of the leaves of a tree and their records; what they share stands once."""
    decisions: dict[Any, Decision] = {}
    messages: dict[str, Message] = {}
    events: list[Event] = []
    for items in records:
        for item in items:
            if isinstance(item, Decision):
                decisions.setdefault(item.key, item)
            elif isinstance(item, Message):
                messages.setdefault(item.id, item)
            else:
                events.append(item)
    if len(records) > 1:
        events = list(dict.fromkeys(events))
    return Trajectory(
        id, task, seed, team, tuple(decisions.values()), tuple(messages.values()), tuple(leaves), tuple(events), **rest
    )


def _line(failure: Exception) -> str:
    text = " ".join(str(failure).split())
    return text if isinstance(failure, OrchestraError) else f"{type(failure).__name__}: {text}"
