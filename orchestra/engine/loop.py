"""Run ahead, commit in order: the engine's loop. It knows no role, no topology and no model.

`sequential` starts together every activation that no stop can pre-empt, so it wastes nothing and still fills batches;
`speculative` also starts what a stop may squash. Both give one transcript.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from orchestra.engine.actor import Bounded
from orchestra.engine.board import Board, Outcome, Step
from orchestra.engine.budget import CapReached
from orchestra.engine.context import Allowance, Context, Notice
from orchestra.engine.door import is_cancelled
from orchestra.engine.graph import Graph
from orchestra.engine.outside import Outside
from orchestra.engine.stops import FAR
from orchestra.errors import BadInput, BudgetSpent, CallFailed, Interrupted, RunFailed, Unparseable
from orchestra.trajectory.trajectory import Event
from orchestra.types import Reply, View


async def walk(graph: Graph, view: View, ctx: Context) -> Reply:
    """Runs a team once: its answer is the best so far when it stops, runs out of budget or has nothing left to say."""
    board = Board(graph, view, ctx)
    ahead, pasts, reason = Ahead(board), list[str](), "done"
    outside = Outside(graph.stop.waits, ctx) if graph.stop.waits else None
    try:
        for step in board.steps():
            if board.silent(step):
                await ahead.drop(step)
                board.skip(step)
            else:
                due = ahead.due(step)
                ran = await (due if outside is None else outside.race(due, board.heard))
                if ran is None:
                    reason = graph.stop(board.history) or reason
                    break
                outcome = ahead.ended(step, ran)
                if outcome.past:
                    pasts.append(outcome.past)
                    if outside is not None:
                        outside.follow(outcome.past)
                board.commit(step, outcome)
                if outcome.context.stopped_by == "budget":
                    reason, ctx.cap = "budget", outcome.context.cap  # a team within ran into a cap that it shares
                    break
            if (said := graph.stop(board.history)) is not None:
                reason = said
                break
    except BudgetSpent as spent:
        reason, ctx.cap = "budget", spent.ledger if isinstance(spent, CapReached) else None
        ctx.event("budget", str(spent))
    except Interrupted:
        # A question delays only what depends on its answer.
        await (ahead.rest() if outside is None else outside.bounded(ahead.rest()))
        ctx.record.items.extend(ahead.questions())
        raise
    finally:
        await ahead.close()
        if pasts:
            ctx.absorb(pasts)  # of a team that failed too: what is done about it depends on what was drawn
    ctx.stopped_by, ctx.rounds = reason, board.history.rounds
    ctx.event("stop", reason)
    if ctx.scope.notify is not None:
        ctx.scope.notify(Notice("stop", ctx.path, board.at.round, reason))
    reply = graph.output(board.history)
    memories = board.memories()
    return reply if memories is None else replace(reply, memory=memories)


class _Started:
    """An activation that runs ahead in a task of its own, or is done and not committed yet."""

    __slots__ = ("context", "outcome", "task", "withheld")

    def __init__(self, context: Context, task: asyncio.Task[Outcome]) -> None:
        self.context = context
        self.task = task
        self.outcome: Outcome | None = None
        self.withheld = False
        """Done, but a join may fire without it: nothing of it shows before it is known."""


class Ahead:
    """The activations that run before it is their turn; those left over at a stop are cancelled: waste.

    Whichever ends first lays its tokens and starts what may start then, so that one which is slow delays only what
    depends on it.
    """

    __slots__ = ("_closed", "_inline", "_started", "board")

    def __init__(self, board: Board) -> None:
        self.board = board
        self._closed = False
        self._inline: Context | None = None
        """Of the activation that is due and runs in the loop itself."""
        self._started: dict[Step, _Started] = {}

    def due(self, step: Step) -> Coroutine[Any, Any, Outcome]:
        """Runs the activation that is due, or awaits it if it runs already."""
        ready = self.board.ready
        if not self._started and len(ready) == 1:  # alone: it needs no task
            ready.clear()
            view, self._inline = self.board.open(step)
            return self._run(step, view, self._inline)
        self._deliver()
        running = self._started.get(step)
        return self._beside_others(step) if running is None else self._awaited(running)

    def ended(self, step: Step, outcome: Outcome) -> Outcome:
        """The outcome of the activation that was due; it is ahead of nothing any more."""
        if self._inline is None:
            del self._started[step]
        else:
            self._settle(self._inline)
            self._inline = None
            if outcome.error is None:
                self.board.deliver(step, outcome)
                self._deliver()
        return outcome

    async def drop(self, step: Step) -> None:
        """Squashes an activation that was started and turned out to be cut off."""
        if step in self._started:
            await self._squash([step])

    async def rest(self) -> None:
        """Returns once all that runs, and all that may start after it, is done."""
        self._start()
        while tasks := [running.task for running in self._started.values() if not running.task.done()]:
            await asyncio.wait(tasks)

    def questions(self) -> list[Event]:
        """Those that wait in what runs ahead."""
        waiting = [self._started[step] for step in sorted(self._started, key=self._place)]
        items = [item for running in waiting for item in running.context.record.flat()]
        return [item for item in items if isinstance(item, Event) and item.waits]

    async def close(self) -> None:
        """Squashes whatever is left; nothing starts any more."""
        self._closed = True
        if self._inline is not None:
            self._waste(self._inline)
        if self._started:
            await self._squash(list(self._started))

    async def _beside_others(self, step: Step) -> Outcome:
        """Runs the activation that is due in the loop itself, beside what may run ahead."""
        self.board.ready.remove(step)
        view, ctx = self.board.open(step)
        self._afford(step, view, ctx)
        self._inline = ctx
        self._start()
        return await self._run(step, view, ctx)

    async def _awaited(self, running: _Started) -> Outcome:
        running.context.is_due()
        if running.outcome is None:
            self._start()  # what was committed since may let more run ahead
        return running.outcome or await running.task

    def _start(self) -> None:
        """Starts what may run beside the activation that is due, in canonical order."""
        capped = self.board.ctx.ledger is not None
        for step in () if self._closed else self._beside():
            if capped and (
                self._may_fail() or self.board.distance(step) != len(self._started) + (self._inline is not None)
            ):
                return  # one before it may end the team, or is not ready yet and will need nobody knows what
            if not self._launch(step):
                return  # what comes later waits too, so that it cannot take what this one will need

    def _may_fail(self) -> bool:
        """Whether an activation that is not committed yet could end the team by failing."""
        nodes = self.board.graph.nodes
        return any(nodes[step.node].on_error == "fail" for step in (self.board.at, *self._started))

    def _beside(self) -> Sequence[Step]:
        board, scope = self.board, self.board.ctx.scope
        if not board.ready or not scope.width:
            return ()
        last = board.graph.stop.rounds  # no later round is ever reached, though a cycle could run ahead for ever
        others = [step for step in board.ready if step != board.at and step.round < last]
        others.sort(key=self._place)
        if scope.schedule == "speculative" and board.ctx.ledger is None:
            return others
        horizon = board.graph.stop.soonest(board.history)
        if horizon >= FAR and not board.plan.joins:
            return others
        return [step for step in others if board.distance(step) < horizon and not board.doubtful(step)]

    def _place(self, step: Step) -> tuple[int, int]:
        """Its place in canonical order."""
        return step.round, self.board.plan.place[step.node]

    def _launch(self, step: Step) -> bool:
        """Starts an activation in a task of its own; False if it may not run ahead, for want of budget."""
        view, ctx = self.board.open(step)
        if not self._afford(step, view, ctx):
            return False
        ctx.due = False
        self.board.ready.remove(step)
        self._started[step] = _Started(ctx, asyncio.ensure_future(self._ahead(step, view, ctx)))
        return True

    async def _ahead(self, step: Step, view: View, ctx: Context) -> Outcome:
        outcome = await self._run(step, view, ctx)
        self._finish(step, self._started[step], outcome)
        self._start()
        return outcome

    def _afford(self, step: Step, view: View, ctx: Context) -> bool:
        """Under a budget an activation runs ahead only if its worst case, beside all that runs, can be held now.

        Then all of these would have been let through one after another too, so who speaks does not depend on it.
        """
        if ctx.ledger is None:
            return True
        actor = self.board.graph.nodes[step.node].actor
        if (self._inline is not None and self._inline.allowance is None) or not isinstance(actor, Bounded):
            return False
        try:
            worst = actor.bound(view)
        except Exception:  # noqa: BLE001  (it is not known; whatever is wrong is the activation's own failure)
            return False
        if worst is None:
            return False
        role = actor.speaker().role
        if not ctx.ledger.foresees(worst, role) or not ctx.ledger.fits(worst, role):
            return False
        ctx.ledger.hold(worst, role)
        ctx.allowance = Allowance(worst, role)
        return True

    async def _run(self, step: Step, view: View, ctx: Context) -> Outcome:
        board = self.board
        node = board.graph.nodes[step.node]
        if ctx.scope.notify is not None:
            ctx.scope.notify(Notice("started", ctx.path, step.round))
        try:
            if board.plan.joins and (broken := board.broken(step)) is not None:
                raise broken
            reply = await node.actor(view, ctx)
            past = ctx.past
            message = board.message(step, ctx, reply, past)
            return Outcome(ctx, view.inbox, reply, message, None, past, board.tokens(step, reply, message, past))
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            return self._failed(step, view, ctx, RuntimeError("the actor cancelled itself"))
        except Exception as failure:  # noqa: BLE001  (whatever an actor raises is data on its trajectory)
            return self._failed(step, view, ctx, failure)

    def _failed(self, step: Step, view: View, ctx: Context, failure: Exception) -> Outcome:
        error: Exception | None = failure
        if not _fatal(failure, self.board.ctx):
            said = str(failure) if isinstance(failure, CallFailed) else _named(failure)
            ctx.event("failure", said)
            if ctx.scope.notify is not None:
                ctx.scope.notify(Notice("failed", ctx.path, step.round, said))
            error = failure if self.board.graph.nodes[step.node].on_error == "fail" else None
        return Outcome(ctx, view.inbox, None, None, error, ctx.past)

    def _finish(self, step: Step, running: _Started, outcome: Outcome) -> None:
        self._settle(running.context)
        running.outcome = outcome
        if outcome.error is not None:
            return  # it ends the run when it is due; what hangs on it is not silence
        if self.board.doubtful(step):
            running.withheld = True
        else:
            self.board.deliver(step, outcome)
            self._deliver()

    def _deliver(self) -> None:
        """Lays the tokens of what is done, save what a join may yet fire without."""
        if not self.board.plan.joins:
            return
        while free := next((s for s, r in self._started.items() if r.withheld and not self.board.doubtful(s)), None):
            running = self._started[free]
            running.withheld = False
            assert running.outcome is not None
            self.board.deliver(free, running.outcome)

    def _settle(self, ctx: Context) -> None:
        if ctx.allowance is not None and ctx.ledger is not None:
            ctx.ledger.settle(ctx.allowance.worst, ctx.record.total(), ctx.allowance.role)
            ctx.allowance = None

    async def _squash(self, steps: Sequence[Step]) -> None:
        tasks = [self._started[step].task for step in steps]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for step in steps:
            self._waste(self._started.pop(step).context)

    def _waste(self, ctx: Context) -> None:
        self._settle(ctx)
        ctx.scope.waste = ctx.scope.waste + ctx.record.total()
        if ctx.scope.notify is not None:
            ctx.scope.notify(Notice("squashed", ctx.path, ctx.round))


def _fatal(failure: Exception, team: Context) -> bool:
    """Whether a failure ends the team whatever its node says: bad input, damage, a question, and a cap that is the
    team's own; one of something within it, or of a role, silences the node alone.
    """
    if isinstance(failure, CapReached) and (failure.ledger.role or failure.ledger.below(team.ledger)):
        return False
    return isinstance(failure, (BadInput, RunFailed)) and not isinstance(failure, (CallFailed, Unparseable))


def _named(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}"
