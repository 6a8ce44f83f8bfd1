"""Run ahead, commit in order: the engine's loop. It knows no role, no topology and no model.

`sequential` starts together every activation that no stop can pre-empt, so it wastes nothing and still fills batches;
`speculative` also starts what a stop may squash. Both give one transcript.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from orchestra.engine.actor import Bounded
from orchestra.engine.board import Board, Outcome, Step, Token
from orchestra.engine.budget import CapReached
from orchestra.engine.context import Context, Notice
from orchestra.engine.graph import Graph
from orchestra.errors import BadInput, BudgetSpent, CallFailed, RunFailed, Unparseable
from orchestra.types import Reply, Usage, View


async def walk(graph: Graph, view: View, ctx: Context) -> Reply:
    """Runs a team once: its answer is the best so far when it stops, runs out of budget or has nothing left to say."""
    board, reason = Board(graph, view, ctx), "done"
    async with Ahead(board) as ahead:
        try:
            for step in board.steps():
                if board.silent(step):
                    await ahead.drop(step)
                    board.skip(step)
                else:
                    outcome = await ahead.outcome(step)
                    board.commit(step, outcome)
                    if outcome.context.stopped_by == "budget" and outcome.context.ledger is ctx.ledger:
                        reason = "budget"  # a team within ran into the cap that it shares with this one
                        break
                if (said := graph.stop(board.history)) is not None:
                    reason = said
                    break
        except BudgetSpent as spent:
            reason = "budget"
            ctx.event("budget", str(spent))
    ctx.absorb([item.past for item in ahead.committed])
    ctx.stopped_by, ctx.rounds = reason, board.history.rounds
    ctx.event("stop", reason)
    if ctx.scope.notify is not None:
        ctx.scope.notify(Notice("stop", ctx.path, board.at.round, reason))
    return graph.output(board.history)


class Ahead:
    """The activations that run before it is their turn; those left over at a stop are cancelled: waste."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.committed: list[Context] = []
        self._tasks: dict[Step, asyncio.Task[Outcome]] = {}
        self._open: dict[Step, Context] = {}
        self._done: dict[Step, Outcome] = {}
        self._withheld: list[Step] = []
        """Done, but a join may fire without them: nothing of them shows before it is known."""

    async def __aenter__(self) -> Ahead:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            await self._squash(list(self._open))

    async def drop(self, step: Step) -> None:
        """Squashes an activation that was started and turned out to be cut off."""
        if step in self._open:
            await self._squash([step])

    async def outcome(self, step: Step) -> Outcome:
        """What became of the activation that is due; runs it here if nothing else can run beside it."""
        if self._withheld:
            self._deliver()
        while step not in self._done:
            self._start(step)
            if step not in self._open:
                self.board.ready.remove(step)
                outcome = await self._run(step, *self.board.open(step))
                self._finish(step, outcome)
            else:
                turn = self._open[step].turn
                if turn is not None:
                    turn.set()
                await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
                for other in [other for other, task in self._tasks.items() if task.done()]:
                    self._finish(other, self._tasks.pop(other).result())
        self._open.pop(step, None)
        outcome = self._done.pop(step)
        self.committed.append(outcome.context)
        return outcome

    def _start(self, due: Step) -> None:
        """Starts what may run beside the activation that is due; alone, that one needs no task of its own."""
        capped = self.board.ctx.ledger is not None
        for step in self._beside(due):
            if due in self.board.ready and not self._launch(due, must=True):
                return
            if capped and self.board.distance(step) != len(self._open):
                return  # one that comes before it is not ready yet, and will need nobody knows what
            if not self._launch(step):
                return  # what comes later waits too, so that it cannot take what this one will need
        if self._tasks and due in self.board.ready:
            self._launch(due, must=True)

    def _beside(self, due: Step) -> list[Step]:
        board, scope = self.board, self.board.ctx.scope
        others = [step for step in board.ready if step != due] if scope.width else []
        if not others:
            return others
        others.sort(key=lambda step: (step.round, board.plan.place[step.node]))
        if scope.schedule == "speculative" and board.ctx.ledger is None:
            return others
        horizon = board.graph.stop.soonest(board.history)
        return [step for step in others if board.distance(step) < horizon and not board.doubtful(step)]

    def _launch(self, step: Step, *, must: bool = False) -> bool:
        """Starts an activation in a task of its own; False if nothing may run ahead beside it, for want of budget."""
        view, ctx = self.board.open(step)
        afforded = self._afford(step, view, ctx)
        if afforded or must:
            ctx.turn = asyncio.Event()
            self.board.ready.remove(step)
            self._open[step] = ctx
            self._tasks[step] = asyncio.ensure_future(self._run(step, view, ctx))
        return afforded

    def _afford(self, step: Step, view: View, ctx: Context) -> bool:
        """Under a budget an activation runs ahead only if its worst case, beside all that runs, can be held now.

        Then all of these would have been let through one after another too, so who speaks does not depend on it.
        """
        if ctx.ledger is None:
            return True
        actor = self.board.graph.nodes[step.node].actor
        if not isinstance(actor, Bounded) or any(self._open[running].allowance is None for running in self._tasks):
            return False
        worst = actor.bound(view)
        if not ctx.ledger.foresees(worst) or not ctx.ledger.fits(worst):
            return False
        ctx.ledger.hold(worst)
        ctx.allowance = worst
        return True

    async def _run(self, step: Step, view: View, ctx: Context) -> Outcome:
        node = self.board.graph.nodes[step.node]
        reply = message = None
        tokens: tuple[Token | None, ...] = ()
        error: Exception | None = None
        if ctx.scope.notify is not None:
            ctx.scope.notify(Notice("started", ctx.path, step.round))
        try:
            reply = await node.actor(view, ctx)
            message = self.board.message(step, view, ctx, reply)
            tokens = self.board.tokens(step, reply, message, ctx.past)
        except Exception as failure:  # noqa: BLE001  (whatever an actor raises is data on its trajectory)
            reply = message = None
            if _fatal(failure, self.board.ctx):
                error = failure
            else:
                ctx.event("failure", str(failure) if isinstance(failure, CallFailed) else _named(failure))
                error = failure if node.on_error == "fail" else None
        return Outcome(ctx, view.inbox, reply, message, error, tokens)

    def _finish(self, step: Step, outcome: Outcome) -> None:
        self._settle(outcome.context)
        self._done[step] = outcome
        if self.board.doubtful(step):
            self._withheld.append(step)
        else:
            self.board.deliver(step, outcome)
            if self._withheld:
                self._deliver()

    def _deliver(self) -> None:
        """Lays the tokens of what is done, save what a join may yet fire without."""
        while (step := next((s for s in self._withheld if not self.board.doubtful(s)), None)) is not None:
            self._withheld.remove(step)
            self.board.deliver(step, self._done[step])

    def _settle(self, ctx: Context) -> None:
        if ctx.allowance is not None and ctx.ledger is not None:
            ctx.ledger.settle(ctx.allowance, ctx.record.total())
            ctx.allowance = None

    async def _squash(self, steps: list[Step]) -> None:
        tasks = [self._tasks.pop(step) for step in steps if step in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        waste = Usage()
        for step in steps:
            context = self._open.pop(step)
            if self._done.pop(step, None) is not None and step in self._withheld:
                self._withheld.remove(step)
            self._settle(context)
            waste = waste + context.record.total()
        scope = self.board.ctx.scope
        scope.waste = scope.waste + waste


def _fatal(failure: Exception, team: Context) -> bool:
    """Whether a failure ends the team whatever its node says: bad input, damage, and a cap that is the team's own."""
    if isinstance(failure, CapReached) and failure.ledger.below(team.ledger):
        return False
    return isinstance(failure, (BadInput, RunFailed)) and not isinstance(failure, (CallFailed, Unparseable))


def _named(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}"
