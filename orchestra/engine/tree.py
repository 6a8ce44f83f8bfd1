"""One task, branched: re-execution with some draws given. A fresh state is drawn n times in one batch, and each draw
that is kept is a leaf of its own. Parallel agents of equal past share their samples, since they share the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

from orchestra.digest import canonical, digest
from orchestra.engine.actor import Actor
from orchestra.engine.branch import Branch
from orchestra.engine.budget import Budget, Ledger
from orchestra.engine.context import Context, Scope, decision
from orchestra.engine.door import Call, Door, Drawn, Fetch, Via, journaled, perform
from orchestra.engine.run import as_task, assemble, ended, entry, name_of, run_id, task_digest, team_digest, together
from orchestra.errors import BudgetSpent, CallFailed, RunFailed
from orchestra.trajectory.journal import Journal
from orchestra.trajectory.trajectory import Decision, Event, Leaf, Trajectory
from orchestra.types import EMPTY, Completion, Message, Reply, Task, Usage


class Pruned(RunFailed):
    """This leaf was not kept; never leaves this file."""


async def grow(
    actor: Actor,
    task: Task | str,
    branch: Branch,
    *,
    seed: int = 0,
    budget: Budget | None = None,
    cap: Budget | None = None,
    journal: Journal | None = None,
    start: Mapping[str, int] = EMPTY,
) -> Trajectory:
    """One task, branched. `budget` holds for each leaf's own path, as if it ran alone; `cap` for the tree.

    Under a cap leaves run one after another, so that the same ones go on whatever arrives first; trees side by side
    still fill batches. `start` gives the draws up to a decision, and the tree goes on from there. A tree resumes like a
    run: it is grown again, and the journal answers. A leaf that the cap does not let go on ends with its best answer so
    far.
    """
    task = as_task(task)
    tree = _Tree(branch, journaled(journal) if journal is not None else perform, Ledger(cap) if cap else None)
    root = digest(str(seed), task_digest(task))

    async def leaf(taken: dict[str, int]) -> None:
        scope = Scope(root, tree.door(taken, spawn), width=False, journal=journal, capped=cap is not None)
        ctx = Context(scope, name_of(actor), ledger=Ledger(budget) if budget else None, private=task.private)
        reply, failure = Reply(), None
        try:
            reply = await actor(entry(actor, task), ctx)
        except Pruned:
            return
        except Exception as error:  # noqa: BLE001  (a failed leaf is data too)
            failure = error
        end, items = ended(ctx, reply, failure)
        tree.leaves.append((tuple(key.draw for key in end.taken), end, items))

    waiting: list[tuple[tuple[int, ...], dict[str, int]]] = []
    try:
        async with together() as group:

            def spawn(taken: dict[str, int]) -> None:
                if cap is None:
                    group.create_task(leaf(taken))
                else:
                    heappush(waiting, (tuple(taken.values()), taken))

            spawn(dict(start))
            while waiting:  # under a cap one leaf after another, in canonical order: what arrives first decides nothing
                await leaf(heappop(waiting)[1])
    finally:
        await tree.close()
    if journal is not None:
        await journal.flushed()
    id = digest(run_id(actor, task, seed), repr(branch), canonical(dict(start)))[:16]
    return tree.trajectory(id, task, seed, team_digest(actor))


def _drawn(outcome: list[Any] | BaseException) -> list[Any]:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


class _Tree:
    """What the leaves of one tree share."""

    def __init__(self, branch: Branch, fetch: Fetch, ledger: Ledger | None) -> None:
        self.branch, self.fetch, self.ledger = branch, fetch, ledger
        self.pool: dict[str, asyncio.Task[list[Decision | Any]]] = {}
        self.drawn: dict[str, list[Decision]] = {}
        self.leaves: list[tuple[tuple[int, ...], Leaf, list[Decision | Message | Event]]] = []

    def door(self, taken: dict[str, int], spawn: Callable[[dict[str, int]], None]) -> Door:
        """The door of one leaf. `taken` grows with it: state -> the draw that it goes on with."""
        made: dict[Call, int] = {}

        async def door(calls: Sequence[Call], via: Via) -> Sequence[Drawn]:
            counts = [max(self.branch.draws(call, made), taken.get(call.state, 0) + 1) for call in calls]
            drawing = [self._sample(c, n, via) for c, n in zip(calls, counts, strict=True)]
            # All end before one that failed is raised: which of them stand on the record must not depend on arrival.
            outcomes = [_drawn(outcome) for outcome in await asyncio.gather(*drawing, return_exceptions=True)]
            for call, drawn in zip(calls, outcomes, strict=True):
                if call.state not in taken:
                    first, *others = self.branch.keep(call, made, drawn) or (None,)
                    if first is None:
                        raise Pruned("not kept")
                    for draw in others:
                        spawn({**taken, call.state: draw})
                    taken[call.state] = first
                made[call] = taken[call.state]
            return [Drawn(taken[c.state], drawn[taken[c.state]]) for c, drawn in zip(calls, outcomes, strict=True)]

        return door

    async def close(self) -> None:
        """Cancels and awaits the draws that nobody waits for any more."""
        for drawing in self.pool.values():
            drawing.cancel()
        await asyncio.gather(*self.pool.values(), return_exceptions=True)

    async def _sample(self, call: Call, count: int, via: Via) -> list[Any]:
        if call.state not in self.pool:  # single flight: parallel agents and later leaves share these
            self.pool[call.state] = asyncio.ensure_future(self._draw(call, count, via))
        return await asyncio.shield(self.pool[call.state])

    async def _draw(self, call: Call, count: int, via: Via) -> list[Any]:
        worst = sum([call.bound] * count, Usage())
        if self.ledger is not None:
            try:
                self.ledger.hold(worst, call.by.role)
            except BudgetSpent as spent:
                raise BudgetSpent(f"{call.where}: cap of the tree: {spent}") from None
        charged = Usage()
        try:
            drawn = list(await self.fetch([(call, i) for i in range(count)], via))
            made = [decision(call, i, o) for i, o in enumerate(drawn) if isinstance(o, Completion)]
            if made:
                self.drawn[call.state] = made
            for outcome in drawn:
                charged = charged + (outcome.usage if isinstance(outcome, Completion) else Usage())
            return drawn
        except CallFailed:
            charged = Usage(calls=worst.calls)
            raise
        finally:
            if self.ledger is not None:
                self.ledger.settle(worst, charged, call.by.role)

    def trajectory(self, id: str, task: Task, seed: int, team: str) -> Trajectory:
        """Leaves in order of their draws; after each of a leaf's decisions its siblings."""
        self.leaves.sort(key=lambda leaf: leaf[0])
        made = assemble(
            id, task, seed, team, [leaf for _, leaf, _ in self.leaves], [items for _, _, items in self.leaves]
        )
        flagged = {d.key: d for d in made.decisions}
        ordered: dict[str, None] = {}
        for _, leaf, _ in self.leaves:
            ordered.update(dict.fromkeys(key.state for key in leaf.taken))
        ordered.update(dict.fromkeys(sorted(set(self.drawn) - set(ordered), key=lambda s: (self.drawn[s][0].path, s))))
        decisions = [flagged.get(d.key, d) for state in ordered for d in self.drawn.get(state, ())]
        failed = [d for d in made.decisions if d.completion is None]
        return Trajectory(id, task, seed, team, (*decisions, *failed), made.messages, made.leaves, made.events)
