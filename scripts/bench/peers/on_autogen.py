"""The benchmark's teams on AutoGen's GraphFlow: a flow runs one task at a time and is reset before the next."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence

from autogen_agentchat.agents import BaseChatAgent  # type: ignore[import-not-found]  # in an environment of its own
from autogen_agentchat.base import Response  # type: ignore[import-not-found]
from autogen_agentchat.messages import BaseChatMessage, TextMessage  # type: ignore[import-not-found]
from autogen_agentchat.teams import DiGraphBuilder, GraphFlow  # type: ignore[import-not-found]
from autogen_core import CancellationToken  # type: ignore[import-not-found]

Run = Callable[[], Awaitable[int]]
"""One run; returns how many agents spoke."""


class Speaker(BaseChatAgent):  # type: ignore[misc]  # the base has no types here
    """Says its name, once the gate is passed if there is one."""

    def __init__(self, name: str, gate: Callable[[], Awaitable[None]] | None = None) -> None:
        super().__init__(name, "an agent that says its name")
        self._gate = gate

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken) -> Response:
        if self._gate is not None:
            await self._gate()
        return Response(chat_message=TextMessage(content=self.name, source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        pass


def line(agents: Sequence[Speaker]) -> GraphFlow:
    """Agents one after another."""
    graph = DiGraphBuilder()
    for agent in agents:
        graph.add_node(agent)
    for src, dst in itertools.pairwise(agents):
        graph.add_edge(src, dst)
    return GraphFlow(list(agents), graph.build())


def chain(agents: int, mode: str) -> Run:
    return repeated(line([Speaker(f"n{i}") for i in range(agents)]))


def fan(width: int, mode: str) -> Run:
    """So many agents side by side, and one that hears them all."""
    agents, last = [Speaker(f"n{i}") for i in range(width)], Speaker("join")
    graph = DiGraphBuilder().add_node(last)
    for agent in agents:
        graph.add_node(agent).add_edge(agent, last)
    return repeated(GraphFlow([*agents, last], graph.build()))


def gated(gate: Callable[[], Awaitable[None]], mode: str) -> Run:
    """Three agents, the second of which waits at the gate; a flow for every run, since runs overlap."""

    async def run() -> int:
        return await spoken(line([Speaker("n0"), Speaker("n1", gate), Speaker("n2")]))

    return run


def repeated(flow: GraphFlow) -> Run:
    async def run() -> int:
        said = await spoken(flow)
        await flow.reset()
        return said

    return run


async def spoken(flow: GraphFlow) -> int:
    """Runs a flow; the messages of the user and of the flow itself do not count."""
    result = await flow.run(task="task")
    return sum(message.source not in ("user", "DiGraphStopAgent") for message in result.messages)
