"""The benchmark's teams on pydantic-graph: steps of a built graph that hand a list on."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic_graph import (  # type: ignore[import-not-found]  # this file runs in an environment of its own
    Graph,
    GraphBuilder,
    StepContext,
    reduce_list_extend,
)

Run = Callable[[], Awaitable[int]]
"""One run; returns how many agents spoke."""
Said = list[str]
Agent = Callable[[StepContext[None, None, Said]], Awaitable[Said]]


def builder() -> Any:
    return GraphBuilder(input_type=list, output_type=list)


def speaker(name: str) -> Agent:
    """An agent that says its name and does nothing else."""

    async def speak(ctx: StepContext[None, None, Said]) -> Said:
        return [*ctx.inputs, name]

    return speak


def line(agents: Sequence[Agent]) -> Graph:
    """Agents one after another."""
    graph = builder()
    steps = [graph.step(node_id=f"n{i}")(agent) for i, agent in enumerate(agents)]
    places = [graph.start_node, *steps, graph.end_node]
    graph.add(*(graph.edge_from(src).to(dst) for src, dst in itertools.pairwise(places)))
    return graph.build()


def chain(agents: int, mode: str) -> Run:
    return plain(line([speaker(f"n{i}") for i in range(agents)]))


def fan(width: int, mode: str) -> Run:
    """So many agents side by side, and one that hears them all."""
    graph = builder()
    steps = [graph.step(node_id=f"n{i}")(speaker(f"n{i}")) for i in range(width)]
    gather = graph.join(reduce_list_extend, initial_factory=list)
    last = graph.step(node_id="join")(speaker("join"))
    graph.add(
        graph.edge_from(graph.start_node).to(*steps),
        graph.edge_from(*steps).to(gather),
        graph.edge_from(gather).to(last),
        graph.edge_from(last).to(graph.end_node),
    )
    return plain(graph.build())


def gated(gate: Callable[[], Awaitable[None]], mode: str) -> Run:
    """Three agents, the second of which waits at the gate."""

    async def waits(ctx: StepContext[None, None, Said]) -> Said:
        await gate()
        return [*ctx.inputs, "n1"]

    return plain(line([speaker("n0"), waits, speaker("n2")]))


def plain(graph: Graph) -> Run:
    async def run() -> int:
        return len(await graph.run(inputs=[]))

    return run
