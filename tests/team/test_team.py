"""Team.run_sync, map, stream and nesting."""

import asyncio

import pytest

from orchestra.errors import BadInput, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator
from orchestra.topologies import chain, debate, self_consistency, solo
from orchestra.types import Task


def test_run_sync_is_run():
    def team():
        return solo(generator(Scripted(lambda r: str(r.seed % 9))))

    assert team().run_sync("q", seed=3) == asyncio.run(team().run("q", seed=3))
    assert team().run_sync("q", seed=3).answer != team().run_sync("q", seed=4).answer


def test_map_keeps_the_order_of_tasks_and_the_limit():
    now, most = [0], [0]

    class Watched(Scripted):
        async def generate(self, requests):
            now[0] += 1
            most[0] = max(most[0], now[0])
            await asyncio.sleep(0.001 * (requests[0].seed % 3))
            now[0] -= 1
            return await super().generate(requests)

    team = solo(generator(Watched(lambda r: r.messages[-1][1])))
    results = asyncio.run(team.map([str(i) for i in range(12)], concurrency=3))
    assert [r.answer for r in results] == [str(i) for i in range(12)] and most[0] == 3


def test_map_of_nothing_is_nothing():
    assert asyncio.run(solo(generator(Scripted([]))).map([])) == []


def test_one_task_that_fails_is_its_own_trajectory():
    def picky(request):
        if "bad" in request.messages[-1][1]:
            raise CallFailed("refused")
        return "5"

    results = asyncio.run(solo(generator(Scripted(picky))).map(["good", Task("t", "bad"), "good too"]))
    assert [r.answer for r in results] == ["5", None, "5"] and results[1].decisions[0].error == "refused"


def streamed(team, **options):
    async def collect():
        return [item async for item in team.stream("q", **options)]

    return asyncio.run(collect())


def test_a_stream_tells_what_starts_what_is_said_and_ends_with_the_trajectory():
    team = debate([debater(Scripted(lambda r: str(r.seed % 2)), name=n) for n in "ab"], rounds=2, share=0.9)
    *notices, result = streamed(team, seed=1)
    assert result == team.run_sync("q", seed=1)
    assert [n.data for n in notices if n.kind == "message"] == list(result.messages)
    assert {n.data for n in notices if n.kind == "decision"} == set(result.decisions)
    assert [n.text for n in notices if n.kind == "stop"] == [result.stopped_by]
    assert sum(n.kind == "started" for n in notices) == len(result.messages)


def test_what_is_wrong_with_a_stream_is_raised_as_it_is():
    with pytest.raises(BadInput, match="schedule 'backwards'"):
        streamed(solo(generator(Scripted(["1"]))), schedule="backwards")


def test_a_team_is_a_node_of_a_team():
    def vote(name):
        return self_consistency(generator(Scripted(lambda r: str(r.seed % 3)), name=name), n=3)

    team = chain(generator(Scripted(["1"])), vote("x"), generator(Scripted(["2"]), name="end"))
    result = team.run_sync("q")
    assert [d.path for d in result.decisions] == [
        "chain/generator", *(f"chain/self_consistency/x-{i}" for i in (1, 2, 3)), "chain/end"]  # fmt: skip
    assert result.answer == "2" and [e.path for e in result.events] == ["chain/self_consistency", "chain"]
