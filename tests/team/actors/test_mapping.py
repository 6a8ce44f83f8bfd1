"""Map: a copy of an actor for each item of a list found at run time; Told: an actor with another task."""

import asyncio
from dataclasses import replace

import pytest
from random_runs import transcript
from small_teams import ANSWERER, Caller, letters

from orchestra.engine import START, Budget, Edge, Node, last, majority, run
from orchestra.models.scripted import Scripted
from orchestra.team import Role, Team, register
from orchestra.team.actors.mapping import LONGEST, Map, lines
from orchestra.team.actors.told import Told
from orchestra.team.role import silent, text
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Message, View

WORKER = Role("worker", "work on {{ prompt }} in {{ seat }}", answer=letters)


@register("test_mapping.words")
def words(said):
    return tuple(said.split())


def mapped(model, listed, output=text, **options):
    """One that lists, then a map over what it said."""
    lister = replace(ANSWERER, output=output, answer=silent)(Scripted(lambda r: listed), name="lister")
    worker = WORKER(model, name="worker")
    nodes = [Node("lister", lister), Node("each", Map(worker, **options))]
    return Team("t", nodes, [Edge(START, "lister"), Edge("lister", "each")], output=last("each"))


def echo(delay=None):
    return Scripted(lambda r: r.messages[-1][1].split()[2], delay=delay)


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_items_run_side_by_side_and_stand_in_their_order(schedule):
    running, widest = set(), []
    items = [f"i{n}" for n in range(12)]

    def delay(request):
        running.add(request.messages[-1][1])
        widest.append(len(running))
        return (request.seed % 5) / 2000

    plain = asyncio.run(run(mapped(echo(), "\n".join(items)), "q", schedule=schedule))
    made = asyncio.run(run(mapped(echo(delay), "\n".join(items)), "q", schedule=schedule))
    assert made.leaf.content == "\n\n".join(f"item-{n}: i{n - 1}" for n in range(1, 13))
    assert transcript(made) == transcript(plain) and max(widest) == 12
    assert [d.path for d in made.decisions][1:] == [f"t/each/map/item-{n}" for n in range(1, 13)]


def test_a_list_in_the_typed_output_goes_before_the_lines():
    made = asyncio.run(run(mapped(echo(), "x y\nz", words), "q"))
    assert [d.request.messages[-1][1] for d in made.decisions[1:]] == [
        f"work on {item} in item-{n}" for n, item in enumerate("xyz", 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (None, []),
        (Message("m", "a", 0, " x \n\n y y\n"), ["x", "y y"]),
        (Message("m", "a", 0, "x\ny", parsed=["p", "q"]), ["p", "q"]),
        (Message("m", "a", 0, "x\ny", parsed=("p", 1)), ["x", "y"]),
        (Message("m", "a", 0, "x\ny", parsed="pq"), ["x", "y"]),
        (Message("m", "a", 0, "x", parsed=()), []),
    ],
)
def test_what_the_last_message_lists(message, found):
    assert list(lines(View("q", (Message("n", "b", 0, "other"), message) if message else ()))) == found


def test_an_empty_list_abstains_and_calls_nobody():
    model = echo()
    made = asyncio.run(run(mapped(model, " \n"), "q"))
    assert (made.answer, made.error, model.calls) == (None, None, []) and made.messages[-1].content == ""


@pytest.mark.parametrize(("count", "calls"), [(LONGEST, LONGEST), (LONGEST + 1, 0)])
def test_a_list_that_is_too_long_is_one_clear_error(count, calls):
    model = echo()
    made = asyncio.run(run(mapped(model, "\n".join(["x"] * count)), "q"))
    told = [e.text for e in made.events if e.kind == "failure"]
    expected = ["Unparseable: t/each: a map over 1,001 items; expected at most 1,000"]
    assert len(model.calls) == calls and told == ([] if calls else expected)


def test_what_they_say_is_gathered_as_asked():
    model = Scripted(lambda r: "7" if "b" in r.messages[-1][1].split()[2] else "8")
    assert asyncio.run(run(mapped(model, "b\nc\nbb", gather=majority()), "q")).answer == "7"


@pytest.mark.parametrize("cap", [1, 2, 5, 8])
def test_a_map_ends_with_what_its_budget_let_it_do(cap):
    made = asyncio.run(run(mapped(echo(), "u\nv\nw\nx"), "q", budget=Budget(calls=cap)))
    assert made.usage.calls == min(cap, 5) and (made.stopped_by == "budget") == (cap < 5)
    assert [m.sender for m in made.messages if m.sender.startswith("item")] == [
        f"item-{n}" for n in range(1, min(cap, 5))]  # fmt: skip


@pytest.mark.parametrize("kept", range(6))
def test_a_resumed_map_repeats_no_item(kept):
    journal, part = MemoryJournal(), MemoryJournal()
    whole = asyncio.run(run(mapped(echo(), "u\nv\nw\nx"), "q", journal=journal))
    part.entries = dict(list(journal.entries.items())[:kept])
    model = echo()
    again = asyncio.run(run(mapped(model, "u\nv\nw\nx"), "q", journal=part))
    assert transcript(again) == transcript(whole) and len(model.calls) == min(4, 5 - kept)


def test_one_item_that_fails_leaves_the_others():
    def say(request):
        if " v " in request.messages[-1][1]:
            raise ValueError("no v")
        return "7"

    made = asyncio.run(run(mapped(Scripted(say), "u\nv\nw"), "q"))
    assert made.leaf.content == "item-1: 7\n\nitem-3: 7" and made.usage.calls == 4


def test_told_changes_the_task_alone():
    async def actor(view, ctx):
        seen.append(view)
        return await WORKER(echo())(view, ctx)

    seen, view = [], View("q", (Message("m", "a", 0, "x"),), memory=3, private="p", seat="a", round=0)
    asyncio.run(run(Told(lambda v, c: actor(view, c), "other"), "q"))
    made = asyncio.run(run(Told(actor, "other"), "q"))
    assert seen == [view, View("other", seat="actor")] and made.decisions[0].request.messages[-1][1] == (
        "work on other in actor")  # fmt: skip


def test_a_worst_case_is_that_of_the_actor_on_the_other_task():
    worker = WORKER(Scripted([]))
    known = Told(worker, "a task of six words now")
    assert known.name == "worker" and known.speaker() == worker.speaker()
    assert known.bound(View("q")) == worker.bound(View("a task of six words now")) != worker.bound(View("q"))
    assert Told(Caller(), "x").bound(View("q")) is None


def test_a_saved_map_is_the_same_map():
    team = mapped(Scripted([]), "", words, items=lines)
    assert Team.load(team.save(), Scripted([])).digest == team.digest
