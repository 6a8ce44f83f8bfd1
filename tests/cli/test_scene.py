"""The state of the live view: of real runs it ends with the trajectory's own figures, whatever ran ahead."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import reduce

from drawn_teams import teams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_teams import dylan

from orchestra.cli.scene import News, Place, Scene, Turn, after
from orchestra.engine import Notice, run
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.topologies import chain
from orchestra.trajectory.trajectory import Decision
from orchestra.types import Completion, Key, Message, Request, Usage

SPENT = Usage(1, 10, 2)


def decision(path, round=0, usage=SPENT):
    completion = Completion("said", None, None, None, None, "stop", usage) if usage else None
    made = Decision(Key("s"), (), "a", "r", path, round, 0, "p@0", "w", Request(()), completion)
    return Notice("decision", path, round, "said" if usage else "", made)


def message(path, round=0, to=()):
    return Notice("message", path, round, "done", Message(f"{path}@{round}", path, round, "done"), to)


def fold(*notices):
    return reduce(after, notices, Scene())


def test_one_activation_by_hand():
    place = Place("t/b", 1)
    scene = fold(Notice("started", *place), Notice("delta", *place, "one "), Notice("delta", *place, "two"))
    assert scene.turns == {place: Turn(place, words="one two")}
    assert (scene.round, scene.usage, scene.news) == (1, Usage(), ())

    scene = after(scene, decision(*place))
    assert scene.speaking == [Turn(place, "speaking", "said", whole=True, usage=SPENT)] and scene.usage == SPENT
    assert after(scene, Notice("delta", *place, "again")).speaking[0].words == "again"

    scene = after(scene, message(*place, to=("c",)))
    assert scene.news == (News("said", place, "done", ("c",)),) and not scene.turns
    scene = after(scene, Notice("stop", "t", 1, "quorum"))
    assert (scene.why, scene.news) == ("quorum", ())


def test_failures_and_failed_calls():
    scene = fold(Notice("started", "t/a", 0), decision("t/a", usage=None))
    assert scene.usage == Usage(calls=1)
    scene = after(scene, Notice("failed", "t/a", 0, "the server is down"))
    assert scene.news == (News("failed", Place("t/a", 0), "the server is down"),)
    assert scene.speaking == [] and scene.waste == Usage()
    scene = after(scene, Notice("squashed", "t/a", 0))  # it had run ahead of a stop
    assert (scene.usage, scene.waste) == (Usage(), Usage(calls=1))


def test_what_is_squashed_is_waste_with_all_that_ran_within_it():
    scene = fold(
        Notice("started", "t/a", 0),
        decision("t/a"),
        Notice("started", "t/group", 1),
        Notice("started", "t/group:1/x", 0),
        decision("t/group:1/x"),
        message("t/group:1/x"),
        Notice("started", "t/group:1/y", 0),
        decision("t/group:1/y"),
    )
    assert [turn.place.path for turn in scene.speaking] == ["t/a", "t/group:1/y"]  # not the team around y
    assert scene.round == 1  # of the team itself
    kept = after(scene, message("t/group", 1))
    assert kept.turns.keys() == {("t/a", 0)} and kept.waste == Usage()
    scene = after(scene, Notice("squashed", "t/group", 1))
    assert [news.place.path for news in scene.news] == ["t/group", "t/group:1/x", "t/group:1/y"]
    assert {news.kind for news in scene.news} == {"squashed"} and scene.turns.keys() == {("t/a", 0)}
    assert (scene.usage, scene.waste) == (SPENT, SPENT + SPENT)


def test_calls_of_an_actors_own_contexts_count_for_its_activation():
    scene = fold(Notice("started", "t/a", 2), decision("t/a/helper", 2), Notice("started", "t/a/group:2/x", 0))
    assert scene.turns["t/a", 2].usage == SPENT
    assert [turn.place.path for turn in scene.speaking] == ["t/a/group:2/x"]
    assert fold(decision("solo")).usage == SPENT


def test_a_stop_within_is_not_the_end_and_unknown_kinds_change_nothing():
    assert fold(Notice("stop", "t/group", 0, "quorum"), Notice("question", "t/a", 0, "?")) == Scene()


def test_who_spoke_to_whom():
    model = Scripted(["The answer is 91.", "Yes.", "The answer is 92."])
    assert heard(chain(generator(model), verifier(model), refiner(model))) == [
        ("generator", ("verifier", "refiner")),
        ("verifier", ("refiner",)),
        ("refiner", ()),
    ]
    team, _ = dylan({"a": ["1|"] * 3, "b": ["2|"] * 3, "c": ["3|"] * 3, "d": ["4|"] * 3}, rank=lambda shown: "01")
    passed_on = [to for name, to in heard(team) if name == "rank"]
    assert [len(to) for to in passed_on] == [4, 2, 4]  # it selects in the second round alone


def heard(team):
    notices = []
    asyncio.run(run(team, "q", notify=notices.append))
    return [(news.place.path.rpartition("/")[2], news.to) for scene in scenes(notices) for news in scene.news]


def scenes(notices):
    scene = Scene()
    for notice in notices:
        scene = after(scene, notice)
        yield scene


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(teams(), st.integers(0, 1 << 20), st.sampled_from(["sequential", "speculative"]))
def test_the_last_scene_of_a_run_agrees_with_its_trajectory(team, seed, schedule):
    notices = []
    made = asyncio.run(run(team, "q", seed=seed, schedule=schedule, notify=notices.append))
    seen = list(scenes(notices))
    last, news = seen[-1], [news for scene in seen for news in scene.news]
    assert not last.turns and last.why == made.stopped_by
    assert last.usage == made.usage and last.waste == made.waste
    taken_back = {item.place for item in news if item.kind == "squashed"}
    said = Counter((item.place, item.words) for item in news if item.kind == "said" and item.place not in taken_back)
    told = Counter((Place(m.id.partition("~")[0].rpartition("@")[0], m.round), m.content) for m in made.messages)
    assert said == told
    assert {item.place for item in news} == {Place(n.path, n.round) for n in notices if n.kind == "started"}


def test_control_without_word_of_what_was_squashed_waste_would_pass_for_spending():
    differ = 0
    team, _ = dylan({name: ["1|"] * 3 for name in "abcd"}, rank=lambda shown: "01")
    for schedule in ("sequential", "speculative"):
        notices = []
        made = asyncio.run(run(team, "q", schedule=schedule, notify=notices.append))
        deaf = fold(*(notice for notice in notices if notice.kind != "squashed"))
        differ += deaf.usage != made.usage
    assert differ
