"""A budget over many tasks, allotted in task order: what a task may spend depends on those before it, never on which
ended first. Tasks run side by side as long as all before them could spend the most that they may.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf

from orchestra.engine.budget import CAPS, UNFORESEEN, Budget, Ledger
from orchestra.errors import BadInput
from orchestra.types import Usage


class Purse:
    """Hands every task, in order, a ledger of its own over what those before it leave.

    `each` caps a single task; without it tasks run one after another, since any may spend all.
    """

    def __init__(self, total: Budget, each: Budget | None = None) -> None:
        if total.roles:
            raise BadInput(f"a budget over many tasks caps {', '.join(total.roles)} apart; fix: cap roles task by task")
        self.total = total
        self.each = each
        self._spent = Usage()
        self._running: dict[int, Usage | None] = {}  # in task order; None: not done yet
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._next = 0

    async def ledger(self, task: int) -> Ledger:
        """What the task of that number, counted from 0, may spend; waits until it is certain. Ask in any order, for
        every number once, and `settle` each.
        """
        while task != self._next or not self._certain():
            change = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            await change
        rest = Ledger(self.total)
        if not self._running:
            rest.spent = self._spent  # else it gets all of `each` whatever they spend, and a rest without a limit
        self._running[task] = None
        self._next += 1
        self._wake()
        return Ledger(self.each, rest) if self.each is not None else rest

    def settle(self, task: int, usage: Usage) -> None:
        """That task is done and has spent so much."""
        self._running[task] = usage
        while self._running and (first := self._running[next(iter(self._running))]) is not None:
            self._spent = self._spent + first
            del self._running[next(iter(self._running))]
        self._wake()

    def _certain(self) -> bool:
        """Whether nothing that runs can change what the next task may spend: it gets all of `each`, come what may."""
        if not self._running:
            return True
        if self.each is None:
            return False
        done = [usage for usage in self._running.values() if usage is not None]
        tasks = len(self._running) - len(done) + 1
        for name in CAPS:
            total, most = getattr(self.total, name), getattr(self.each, name)
            spent = getattr(self._spent, name) + sum(getattr(usage, name) for usage in done)
            if total < inf and (name in UNFORESEEN or spent + most * tasks > total):
                return False
        return True

    def _wake(self) -> None:
        while self._waiting:
            change = self._waiting.popleft()
            if not change.done():
                change.set_result(None)
