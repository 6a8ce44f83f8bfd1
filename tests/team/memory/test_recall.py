"""Recalling: what an actor is shown, snapshots of a batch, and resumed runs."""

import asyncio

import pytest

from orchestra.engine import START, Edge, Node
from orchestra.errors import BadTeam, Drift
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator
from orchestra.team import Team
from orchestra.team.memory.notes import Notes, facts, learned
from orchestra.team.memory.recall import Recalling, remembering
from orchestra.topologies import debate, solo
from orchestra.trajectory.journal import MemoryJournal

KNOWN = facts(["Ann lives in Rome.", "Ben lives in Oslo.", "Water is wet.", "Ann was born in Paris."])


def team(model, notes=KNOWN, **options):
    return Team("t", [Node("a", Recalling(generator(model), notes, **options))], [Edge(START, "a")])


def go(made, prompt="Where does Ann live?", **options):
    return asyncio.run(made.run(prompt, **options))


def told(model):
    return [call.messages[-1][1] for call in model.calls]


def test_the_best_stand_before_the_task():
    model = Scripted(["Rome"])
    go(team(model, k=2), "Where does Ann live, in Rome?")
    assert told(model) == [
        "From memory:\n- Ann lives in Rome.\n- Ann was born in Paris.\nWhere does Ann live, in Rome?"
    ]


def test_what_has_nothing_to_do_with_it_is_not_shown():
    for notes, prompt in ((KNOWN, "2 + 2?"), (Notes(), "Where does Ann live?")):
        model = Scripted(["4"])
        go(team(model, notes), prompt)
        assert told(model) == [prompt]


def test_of_equal_ones_the_latest():
    model = Scripted(["x"])
    go(team(model, facts(["Ann is 3.", "Ann is 4.", "Ann is 5."]), k=1), "How old is Ann?")
    assert "- Ann is 5.\nHow" in told(model)[0]


def test_all_of_a_team_know_it_in_every_round():
    model = Scripted(lambda request: str(request.seed % 7))
    made = remembering(debate([debater(model, name=name) for name in "ab"], rounds=2), KNOWN, k=1)
    result = go(made)
    assert len(model.calls) == 4 and all("From memory:\n- Ann" in text for text in told(model))
    assert [event.text for event in result.events if event.kind == "tool"] == ["recalled 1 of 4 notes"]


def test_the_snapshot_is_on_the_record():
    result = go(team(Scripted(["x"])))
    [event] = [event for event in result.events if event.kind == "tool"]
    assert event.data["notes"] == KNOWN.digest
    assert result.team != go(team(Scripted(["x"]), facts(["Ann"]))).team


def test_runs_of_one_batch_do_not_see_each_other():
    """The second could be told by the first; the next batch is."""
    model = Scripted(lambda request: "17")
    tasks = ["What is the code of the red door?", "What was the code of the red door again?"]
    batch = asyncio.run(remembering(solo(generator(model)), Notes()).map(tasks))
    assert told(model) == tasks
    asyncio.run(remembering(solo(generator(model)), learned(Notes(), batch)).map(tasks[1:]))
    assert "- What is the code of the red door?\nAnswer: 17" in told(model)[2]


def test_the_order_of_a_batch_does_not_show():
    def texts(tasks, concurrency):
        model = Scripted(lambda request: "17", delay=lambda request: 0.001 * (request.seed % 3))
        asyncio.run(remembering(solo(generator(model)), KNOWN).map(tasks, concurrency=concurrency))
        return sorted(told(model))

    tasks = [f"Where does Ann live, {i}?" for i in range(6)]
    assert texts(tasks, 1) == texts(tasks, 6) == texts(tasks[::-1], 6)


def test_a_resumed_run_sees_the_same():
    journal = MemoryJournal()
    first = go(team(Scripted(["Rome"])), journal=journal)
    assert go(team(Scripted([])), journal=journal) == first


def test_control_one_that_is_resumed_with_other_notes_is_refused():
    journal = MemoryJournal()
    go(team(Scripted(["Rome"])), journal=journal)
    grown = learned(KNOWN, [go(solo(generator(Scripted(["9"]))))])
    with pytest.raises(Drift, match="another notes"):
        go(team(Scripted(["Rome"]), grown), journal=journal)


def test_saved_it_keeps_what_it_knows():
    made = team(Scripted([]), k=2)
    model = Scripted(["Rome"])
    again = Team.load(made.save(), model)
    assert again.digest == made.digest and again.nodes[0].actor.notes == KNOWN
    go(again)
    assert "- Ann lives in Rome." in told(model)[0]


def test_what_cannot_be_meant_is_refused():
    for k in (0, 1.5, True):
        with pytest.raises(BadTeam, match="expected a whole number of notes"):
            Recalling(generator(Scripted([])), KNOWN, k)
