"""What engines of others do between nodes and ours must not: copy, poll, fire twice, lose a branch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import pytest

from orchestra.engine import START, Context, Edge, Full, MaxRounds, Node
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Team
from orchestra.topologies import chain
from orchestra.types import Reply, View
from tests.hostile.runs import both


@dataclass(frozen=True)
class Uncopied:
    """An actor, and a value in its reply, that can be neither copied nor pickled."""

    async def __call__(self, view: View, ctx: Context) -> Reply:
        await asyncio.sleep(0)
        return Reply(view.seat, answer=view.seat, parsed=self, memory=self)

    def __deepcopy__(self, memo: Any) -> NoReturn:
        raise AssertionError("it was copied")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise AssertionError("it was copied")


def talk(actor: Any, rounds: int = 3) -> Team:
    """Two who hear each other in the next round."""
    edges = [Edge(START, "a"), Edge(START, "b"), Edge("a", "b", "temporal"), Edge("b", "a", "temporal")]
    return Team("t", [Node(name, actor) for name in "ab"], edges, MaxRounds(rounds))


def test_nothing_is_copied_to_run_a_team() -> None:
    actor = Uncopied()
    result = both(lambda: talk(actor))
    assert len(result.messages) == 6
    assert all(message.parsed is actor for message in result.messages)


def test_nothing_is_copied_to_draw_from_a_tree() -> None:
    model = Scripted(lambda request: "The answer is 91.")
    first = Team("first", [Node("x", generator(model)), Node("y", Uncopied())], [Edge(START, "x"), Edge("x", "y")])
    assert len(asyncio.run(first.grow("q", Full(3))).leaves) == 3


def test_control_a_copy_would_be_noticed() -> None:
    from copy import deepcopy

    with pytest.raises(AssertionError, match="it was copied"):
        deepcopy(talk(Uncopied()))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_sets_no_timer(streamed: bool) -> None:
    """What waits, waits for what it needs: no queue is asked every so many milliseconds."""
    team = chain(*(generator(Scripted(lambda request: "The answer is 91."), name=name) for name in "abc"))

    async def timers() -> list[Any]:
        loop, asked = asyncio.get_running_loop(), list[Any]()
        later = loop.call_at
        loop.call_at = lambda *at, **more: asked.append(at) or later(*at, **more)  # type: ignore[method-assign,func-returns-value]
        if streamed:
            assert [item async for item in team.stream("q")][-1].answer == "91"
        else:
            assert (await team.run("q")).answer == "91"
        del loop.call_at  # type: ignore[method-assign]
        return asked

    assert asyncio.run(timers()) == []


@pytest.mark.parametrize("slow", ["", "near", "far-2", "alone"])
def test_a_fan_in_fires_once_and_hears_every_branch_once(slow: str) -> None:
    """Branches of several lengths, one of them slow: the last node waits for all, in the order of its edges."""

    @dataclass(frozen=True)
    class Says:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            await asyncio.sleep(0.01 * (view.seat == slow))
            return Reply(" ".join([*(m.content for m in view.inbox), view.seat]))

    names = ["split", "near", "far-1", "far-2", "alone", "join"]
    ends = [
        ("split", "near"),
        ("split", "far-1"),
        ("far-1", "far-2"),
        ("far-2", "join"),
        ("near", "join"),
        ("alone", "join"),
    ]
    edges = [Edge(START, "split"), Edge(START, "alone"), *(Edge(*pair) for pair in ends)]
    result = both(lambda: Team("t", [Node(name, Says()) for name in names], edges))
    assert [m.content for m in result.messages if m.sender == "join"] == ["split far-1 far-2 split near alone join"]


def test_control_a_branch_less_is_heard_less() -> None:
    team = chain(*(generator(Scripted(lambda request: "91"), name=name) for name in "abc"))
    fewer = replace(team, edges=[edge for edge in team.edges if (edge.src, edge.dst) != ("a", "c")])
    assert [len(asyncio.run(each.run("q")).messages[-1].saw) for each in (team, fewer)] == [2, 1]
