"""The benchmark's teams on LangGraph: compiled once, small updates of the state, one event loop.

Modes: "ainvoke" with asynchronous nodes and "invoke" with plain ones. For durable runs LangGraph's own word for when it
saves stands behind a bar: "sync" saves each step before the next begins, "async" while it runs. "exit" is left out: it
keeps nothing of a run that is killed.
"""

from __future__ import annotations

import asyncio
import itertools
import operator
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

import aiosqlite  # type: ignore[import-not-found]  # this file runs in an environment of its own
from langgraph.checkpoint.sqlite import SqliteSaver  # type: ignore[import-not-found]
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # type: ignore[import-not-found]
from langgraph.graph import END, START, StateGraph  # type: ignore[import-not-found]

Run = Callable[[], Awaitable[int]]
"""One run; returns how many agents spoke."""
Agent = Callable[["State"], Any]


class State(TypedDict):
    """What the nodes add to."""

    said: Annotated[list[str], operator.add]


def speaker(name: str, mode: str) -> Agent:
    """An agent that says its name and does nothing else."""

    def speak(state: State) -> dict[str, list[str]]:
        return {"said": [name]}

    async def speak_async(state: State) -> dict[str, list[str]]:
        return {"said": [name]}

    return speak_async if mode.startswith("ainvoke") else speak


def line(agents: Sequence[Agent]) -> StateGraph:
    """Agents one after another."""
    names = [f"n{i}" for i in range(len(agents))]
    graph = StateGraph(State)
    for name, agent in zip(names, agents, strict=True):
        graph.add_node(name, agent)
    for src, dst in itertools.pairwise([START, *names, END]):
        graph.add_edge(src, dst)
    return graph


def chain(agents: int, mode: str) -> Run:
    return plain(line([speaker(f"n{i}", mode) for i in range(agents)]), mode)


def fan(width: int, mode: str) -> Run:
    """So many agents side by side, and one that hears them all."""
    names = [f"n{i}" for i in range(width)]
    graph = StateGraph(State)
    for name in (*names, "join"):
        graph.add_node(name, speaker(name, mode))
    for name in names:
        graph.add_edge(START, name)
    graph.add_edge(names, "join")
    graph.add_edge("join", END)
    return plain(graph, mode)


def gated(gate: Callable[[], Awaitable[None]], mode: str) -> Run:
    """Three agents, the second of which waits at the gate."""

    async def waits(state: State) -> dict[str, list[str]]:
        await gate()
        return {"said": ["n1"]}

    return plain(line([speaker("n0", mode), waits, speaker("n2", mode)]), mode)


def plain(graph: StateGraph, mode: str) -> Run:
    compiled = graph.compile()

    async def run_async() -> int:
        return len((await compiled.ainvoke({"said": []}))["said"])

    async def run_sync() -> int:
        return len(compiled.invoke({"said": []})["said"])

    return run_async if mode == "ainvoke" else run_sync


@asynccontextmanager
async def durable(path: Path, synchronous: str, at_once: int, mode: str) -> AsyncIterator[Run]:
    """Three agents, checkpointed in SQLite with a write-ahead log; each run is a thread of its own."""
    call, _, durability = mode.partition("|")
    graph = line([speaker(f"n{i}", mode) for i in range(3)])
    threads = ({"configurable": {"thread_id": str(number)}} for number in itertools.count())
    if call == "ainvoke":
        async with aiosqlite.connect(path) as connection:
            saver = AsyncSqliteSaver(connection)
            await saver.setup()
            await connection.execute(f"PRAGMA synchronous = {synchronous}")
            compiled = graph.compile(checkpointer=saver)

            async def run_async() -> int:
                end = await compiled.ainvoke({"said": []}, next(threads), durability=durability)
                return len(end["said"])

            yield run_async
        return
    with SqliteSaver.from_conn_string(str(path)) as saver, ThreadPoolExecutor(at_once) as pool:
        saver.setup()
        saver.conn.execute(f"PRAGMA synchronous = {synchronous}")
        compiled = graph.compile(checkpointer=saver)

        def run_once(config: Any) -> int:
            return len(compiled.invoke({"said": []}, config, durability=durability)["said"])

        async def run_sync() -> int:
            if at_once == 1:
                return run_once(next(threads))
            return await asyncio.get_running_loop().run_in_executor(pool, run_once, next(threads))

        yield run_sync


def saved(path: Path) -> int:
    """Calls on disk: what nodes wrote to the state; the first write of a thread is its input."""
    query = "SELECT count(*) - count(DISTINCT thread_id) FROM writes WHERE channel = 'said'"
    with sqlite3.connect(path) as connection:
        return int(connection.execute(query).fetchone()[0])
