"""One measurement of one system, in a process of its own; prints one JSON object. `engine.py` starts it.

    python measure.py '{"system": "on_orchestra", "mode": "run", "kind": "chain", "size": 3, "seconds": 1.0}'

It needs nothing but the standard library, since each system has an environment of its own. A run tells how many agents
spoke and a journal how many calls it keeps; a measurement that lost one raises.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

Run = Callable[[], Awaitable[int]]
"""One run of a team; returns how many agents spoke."""
Figures = dict[str, float]
STATM = Path("/proc/self/statm")
"""Linux tells there how much memory the process holds; elsewhere memory is not measured."""
WARM_RUNS = 64
"""Runs that warm up a process whose memory is then measured."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be measured."""

    system: str
    """Module beside this file."""
    mode: str
    """One of the system's ways to run; only it knows what the word means."""
    kind: str
    size: int
    """Agents in a chain, agents side by side in a fan, runs at once of the other kinds."""
    seconds: float
    """About how long the timed part takes, where it is repeated."""
    synchronous: str = "full"
    folder: str | None = None
    """Where a journal is written; None is the temporary folder."""


async def chain(system: Any, order: Order) -> Figures:
    return await timed(system.chain(order.size, order.mode), order.size, order.seconds)


async def fan(system: Any, order: Order) -> Figures:
    return await timed(system.fan(order.size, order.mode), order.size + 1, order.seconds)


async def flight(system: Any, order: Order) -> Figures:
    """All runs are started, wait in one node until every one is there, and are let go."""
    await let_go(system, order.mode, WARM_RUNS)
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    grown = await let_go(system, order.mode, order.size)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = {"bytes_a_run": grown / order.size} if grown else {}
    return {"wall_s": wall, "cpu_s": cpu, **memory}


async def durable(system: Any, order: Order) -> Figures:
    with TemporaryDirectory(dir=order.folder) as folder:
        path, made = Path(folder) / "journal.sqlite", 0
        async with system.durable(path, order.synchronous, order.size, order.mode) as run:

            async def counted() -> int:
                nonlocal made
                spoke = await run()
                made += spoke
                return int(spoke)

            figures = await timed(counted, 3, order.seconds, at_once=order.size)
        if system.saved(path) != made:
            raise AssertionError(f"{order.system}: {made} calls were acknowledged and {system.saved(path)} are on disk")
    return {**figures, "calls_per_s": 3e6 / figures["wall_us"]}


async def timed(run: Run, agents: int, seconds: float, at_once: int = 1) -> Figures:
    """Microseconds a run. A growing number of runs warms up, until it tells how many fill the time."""
    runs, took = at_once, 0.0
    while took < seconds / 4:
        runs *= 2
        began = time.perf_counter()
        await many(run, runs, at_once)
        took = time.perf_counter() - began
    runs = at_once * math.ceil(runs * seconds / took / at_once)
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    spoke = await many(run, runs, at_once)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if spoke != runs * agents:
        raise AssertionError(f"{spoke} agents spoke in {runs} runs of {agents}")
    return {"wall_us": 1e6 * wall / runs, "cpu_us": 1e6 * cpu / runs}


async def many(run: Run, runs: int, at_once: int) -> int:
    """So many runs, a number of them at a time; returns how many agents spoke."""

    async def one_after_another() -> int:
        spoke = 0
        for _ in range(runs // at_once):
            spoke += await run()
        return spoke

    return sum(await asyncio.gather(*(one_after_another() for _ in range(at_once))))


async def let_go(system: Any, mode: str, runs: int) -> int:
    """Runs of three agents that all wait for each other in the second; returns by how much memory had grown then."""
    arrived, full, opened = 0, asyncio.Event(), asyncio.Event()

    async def gate() -> None:
        nonlocal arrived
        arrived += 1
        if arrived == runs:
            full.set()
        await opened.wait()

    run, before = system.gated(gate, mode), resident()
    running = [asyncio.ensure_future(run()) for _ in range(runs)]
    await full.wait()
    grown = resident() - before
    opened.set()
    if (spoke := sum(await asyncio.gather(*running))) != 3 * runs:
        raise AssertionError(f"{spoke} agents spoke in {runs} runs of 3")
    return grown


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell it at any moment."""
    pages = STATM.read_text(encoding="ascii").split()[1] if STATM.exists() else 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


KINDS = {measured.__name__: measured for measured in (chain, fan, flight, durable)}


def main() -> None:
    order = Order(**json.loads(sys.argv[1]))
    system = importlib.import_module(order.system)
    figures = asyncio.run(KINDS[order.kind](system, order))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
