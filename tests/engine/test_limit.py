"""Time limits: a call that takes too long fails, its failure is journaled, and what is left of it is cancelled."""

import asyncio

import pytest
from small_teams import draw

from orchestra.engine import START, Edge, Node, last, run
from orchestra.team import Team
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Reply, Request


def limited(via, emits=0, **limits):
    async def actor(view, ctx):
        async def telling(requests):
            for _ in range(emits):
                await asyncio.sleep(0.02)
                ctx.emit("word")
            return await via(requests)

        with ctx.limited(**limits):
            await ctx.do(Request((("user", "q"),)), telling)
        await ctx.do(Request((("user", "free"),)), draw)  # outside of it no time is counted
        return Reply("said", "7")

    return Team("t", [Node("a", actor), Node("b", actor)], [Edge(START, "a"), Edge(START, "b")], output=last("a"))


def stuck(cancelled):
    async def via(requests):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(requests)

    return via


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"run": 0.02}, "no outcome within 0.02 s"),
        ({"idle": 0.03}, "silent for 0.03 s"),
        ({"run": 9, "idle": 0.01}, "silent for 0.01 s"),
    ],
)
def test_a_call_that_takes_too_long_fails_and_so_does_its_replay(limits, why):
    journal, cancelled = MemoryJournal(), []
    made = asyncio.run(run(limited(stuck(cancelled), **limits), "q", journal=journal))
    assert [e.text for e in made.events if e.kind == "failure"][:1] == [f"timed out: {why}"]
    assert len(cancelled) == 2 and made.messages == ()
    again = asyncio.run(run(limited(stuck(cancelled), **limits), "q", journal=journal))
    assert again == made and len(cancelled) == 2  # the journal knows that it failed


def test_words_on_the_way_keep_it_alive():
    made = asyncio.run(run(limited(draw, emits=6, idle=0.09), "q"))
    assert made.answer == "7" and made.error is None
    late = asyncio.run(run(limited(draw, emits=6, run=0.05), "q"))  # the time in all counts however much is said
    assert late.messages == ()


def test_of_two_limits_the_narrower_holds():
    async def actor(view, ctx):
        with ctx.limited(run=9), ctx.limited(run=0.01), ctx.limited(run=9):
            return Reply(str(await ctx.do(Request((("user", "q"),)), stuck([]))))

    made = asyncio.run(run(Team("t", [Node("a", actor)], [Edge(START, "a")]), "q"))
    assert made.error == "timed out: no outcome within 0.01 s"


def test_what_a_call_raises_passes_through():
    async def broken(requests):
        raise OSError("no route")

    made = asyncio.run(run(limited(broken, run=5), "q"))
    assert made.error == "OSError: no route"


def test_a_limit_goes_down_to_the_teams_within():
    inner = Team("inner", [Node("x", _calls(stuck([])))], [Edge(START, "x")])

    async def actor(view, ctx):
        with ctx.limited(run=0.02):
            return await inner(view, ctx.child("inner"))

    made = asyncio.run(run(Team("t", [Node("a", actor)], [Edge(START, "a")]), "q"))
    assert "timed out" in next(e.text for e in made.events if e.kind == "failure")


def _calls(via):
    async def actor(view, ctx):
        await ctx.do(Request((("user", "q"),)), via)
        return Reply("said")

    return actor
