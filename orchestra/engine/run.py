"""One task, run once: the actor's reply and everything that led to it, as a Trajectory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from orchestra.digest import canonical, digest
from orchestra.engine.actor import Actor
from orchestra.engine.budget import Budget, Ledger
from orchestra.engine.context import Context, Notice, Schedule, Scope
from orchestra.engine.door import journaled, perform, single
from orchestra.errors import BadInput, BudgetSpent, Damaged, Drift, OrchestraError, Unavailable
from orchestra.trajectory.journal import Journal
from orchestra.trajectory.trajectory import Decision, Event, Leaf, Trajectory
from orchestra.types import Message, Reply, Task, View


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
    return task if isinstance(task, Task) else Task("text/" + digest(task)[:8], task)


def task_digest(task: Task) -> str:
    """Of what a team can see of a task; ids, gold answers and splits do not count."""
    private = canonical(dict(task.private)) if task.private else "{}"
    choices = canonical(list(task.choices)) if task.choices else "[]"
    return digest(task.prompt, task.kind, private, choices)


def run_id(actor: Actor, task: Task, seed: int) -> str:
    """Names one team on one task with one seed."""
    return digest(team_digest(actor), task.id, task_digest(task), str(seed))[:16]


def team_digest(actor: Actor) -> str:
    """Of the saved form, where the actor has one; else of its name."""
    return str(getattr(actor, "digest", "") or digest(name_of(actor)))


def name_of(actor: Actor) -> str:
    """What the actor is called in addresses."""
    return str(getattr(actor, "name", "") or getattr(actor, "__name__", "") or type(actor).__name__)


async def run(
    actor: Actor,
    task: Task | str,
    *,
    seed: int = 0,
    budget: Budget | None = None,
    journal: Journal | None = None,
    schedule: Schedule = "sequential",
    notify: Callable[[Notice], None] | None = None,
) -> Trajectory:
    """One task. A failed run returns its trajectory too, the error on its leaf; bad input, drift and damage raise.

    What it returns is on disk: the journal is flushed first.
    """
    if schedule not in ("sequential", "speculative"):
        raise BadInput(f"schedule {schedule!r}: expected 'sequential' or 'speculative'")
    task = as_task(task)
    scope = Scope(
        digest(str(seed), task_digest(task)), dict(task.private),
        single(journaled(journal) if journal is not None else perform), schedule, notify=notify, journal=journal,
    )  # fmt: skip
    ctx = Context(scope, name_of(actor), ledger=Ledger(budget) if budget else None)
    leaf, items = await once(actor, task, ctx)
    if journal is not None:
        await journal.flushed()
    return assemble(run_id(actor, task, seed), task, seed, team_digest(actor), [leaf], [items], waste=scope.waste)


async def once(actor: Actor, task: Task, ctx: Context) -> tuple[Leaf, list[Decision | Message | Event]]:
    """Runs an actor in a context: how it ended, and its flat record."""
    reply, error = Reply(), None
    try:
        reply = await actor(View(task.prompt, private=task.private.get(name_of(actor), ""), seat=name_of(actor)), ctx)
        reason = ctx.stopped_by or "done"
    except BudgetSpent as spent:
        reason = "budget"
        ctx.event("budget", str(spent))
    except (BadInput, Drift, Damaged, Unavailable):
        raise
    except Exception as failure:  # noqa: BLE001  (a failed run is a trajectory too)
        reason, error = "error", _line(failure)
        ctx.event("failure", error)
    items = ctx.record.flat()
    decisions = [item for item in items if isinstance(item, Decision)]
    taken = tuple(made.key for made in decisions if made.completion is not None)
    if decisions and not taken and error is None:
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
    events: dict[Event, None] = {}
    for items in records:
        for item in items:
            if isinstance(item, Decision):
                decisions.setdefault(item.key, item)
            elif isinstance(item, Message):
                messages.setdefault(item.id, item)
            else:
                events.setdefault(item)
    return Trajectory(
        id, task, seed, team, tuple(decisions.values()), tuple(messages.values()), tuple(leaves), tuple(events), **rest
    )


def _line(failure: Exception) -> str:
    text = " ".join(str(failure).split())
    return text if isinstance(failure, OrchestraError) else f"{type(failure).__name__}: {text}"
