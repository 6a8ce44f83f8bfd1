"""The benchmark's teams on Orchestra: plain async functions as agents, run as a user runs them."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestra.engine import START, Actor, Context, Edge, Node
from orchestra.team import Team
from orchestra.trajectory.sqlite import SqliteLog
from orchestra.types import Reply, View

Run = Callable[[], Awaitable[int]]
"""One run; returns how many agents spoke."""


def line(agents: Sequence[Actor]) -> Team:
    """Agents one after another."""
    names = [f"n{i}" for i in range(len(agents))]
    nodes = [Node(name, agent) for name, agent in zip(names, agents, strict=True)]
    return Team("line", nodes, [Edge(src, dst) for src, dst in itertools.pairwise([START, *names])])


async def nothing(view: View, ctx: Context) -> Reply:
    return Reply(view.seat)


def chain(agents: int, mode: str) -> Run:
    return plain(line([nothing] * agents))


def fan(width: int, mode: str) -> Run:
    """So many agents side by side, and one that hears them all."""
    names = [f"n{i}" for i in range(width)]
    nodes = [Node(name, nothing) for name in (*names, "join")]
    return plain(Team("fan", nodes, [*(Edge(START, name) for name in names), *(Edge(name, "join") for name in names)]))


def gated(gate: Callable[[], Awaitable[None]], mode: str) -> Run:
    """Three agents, the second of which waits at the gate."""

    async def waits(view: View, ctx: Context) -> Reply:
        await gate()
        return Reply(view.seat)

    return plain(line([nothing, waits, nothing]))


def plain(team: Team) -> Run:
    async def run() -> int:
        return len((await team.run("task")).messages)

    return run


@dataclass(frozen=True, slots=True)
class Ask:
    """What an agent of a durable run asks."""

    text: str
    writes: bool
    """Whether all that came before must be on disk first."""


async def answered(asked: Sequence[Ask]) -> list[str]:
    return [ask.text for ask in asked]


@asynccontextmanager
async def durable(path: Path, synchronous: str, at_once: int, mode: str) -> AsyncIterator[Run]:
    """Three agents with one journaled call each; a run returns once its calls are on disk.

    In mode "each" a call also waits for all before it to be on disk.
    """

    async def calls(view: View, ctx: Context) -> Reply:
        return Reply(await ctx.do(Ask(view.seat, writes=mode == "each"), answered))

    team, number = line([calls] * 3), itertools.count()
    with SqliteLog(path, "full" if synchronous == "full" else "process") as log:

        async def run() -> int:
            return len((await team.run("task", journal=log.journal(f"run{next(number)}"))).messages)

        yield run


def saved(path: Path) -> int:
    """Calls on disk."""
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT count(*) FROM effects").fetchone()[0])
