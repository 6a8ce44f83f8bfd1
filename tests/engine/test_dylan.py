"""DyLAN's known answers: calls for scripted answers, thresholds, and that the ranked speak (arXiv 2310.02170; the
published code activates by position after a shuffle, so its ranker decides nothing but a count)."""

import asyncio

import pytest
from small_teams import dylan

from orchestra.engine import Quorum

NAMES = ["a", "b", "c", "d"]


def ranking(*best: str):
    def rank(shown):
        return " ".join(str(shown.index(name)) for name in best)

    return rank


CASES = [
    ({"a": "7", "b": "7", "c": "7", "d": "8"}, 3, "quorum"),
    ({"a": "7", "b": "8", "c": "7", "d": "7"}, 4, "quorum"),
    ({"a": "78", "b": "88", "c": "98", "d": "08"}, 7, "quorum"),
    ({"a": "78", "b": "81", "c": "98", "d": "08"}, 8, "quorum"),
    ({"a": "74", "b": "84", "c": "93", "d": "02"}, 9, "quorum"),
    ({"a": "715", "b": "825", "c": "93", "d": "04"}, 11, "quorum"),
    ({"a": "715", "b": "826", "c": "93", "d": "04"}, 11, "max rounds"),
]


@pytest.mark.parametrize(("answers", "calls", "stopped"), CASES)
@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_calls(answers, calls, stopped, schedule):
    team, model = dylan({n: list(a) for n, a in answers.items()}, rank=ranking("a", "b"))
    result = asyncio.run(team.run("q", schedule=schedule))
    assert (result.usage.calls, result.stopped_by) == (calls, stopped)
    if schedule == "sequential":
        assert len(model.calls) == calls and result.waste.calls == 0


def test_the_ranked_speak_and_read_only_each_other():
    team, model = dylan({n: [x, y, "5"] for n, x, y in zip(NAMES, "7890", "1234", strict=True)}, rank=ranking("d", "b"))
    asyncio.run(team.run("q"))
    last = sorted(call.messages[-1][1] for call in model.calls[-2:])
    assert last == ["b@2 b=2 d=4", "d@2 b=2 d=4"]


def test_a_ranker_that_names_one_twice_keeps_two():
    def twice(shown):
        return f"{shown.index('c')} {shown.index('c')}"

    team, model = dylan({n: [x, y, "5"] for n, x, y in zip(NAMES, "7890", "1234", strict=True)}, rank=twice)
    result = asyncio.run(team.run("q"))
    assert result.usage.calls == 11
    assert "c@2" in " ".join(call.messages[-1][1] for call in model.calls[-2:])


@pytest.mark.parametrize(("n", "needed"), [(2, 2), (3, 3), (4, 3), (7, 5)])
def test_thresholds(n, needed):
    assert Quorum(2 / 3).needed(n) == needed
    for equal in (needed - 1, needed):
        answers = {chr(97 + i): ["same" if i < equal else f"x{i}"] * 3 for i in range(n)}
        team, _ = dylan(answers, rank=ranking("a", "b"), rounds=3)
        result = asyncio.run(team.run("q"))
        assert (result.usage.calls == needed) == (equal == needed)


def test_three_in_flight_together():
    team, model = dylan({n: [x] * 3 for n, x in zip(NAMES, "7778", strict=True)}, rank=ranking("a", "b"))
    running, most = [0], [0]
    inner = model.generate

    async def watched(requests):
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.01)
        running[0] -= 1
        return await inner(requests)

    model.generate = watched
    result = asyncio.run(team.run("q"))
    assert (most[0], result.usage.calls, result.waste.calls) == (3, 3, 0)
