"""Names of effects, drift, journaled failures, and count mismatches."""

import asyncio
from dataclasses import replace

import pytest
from small_teams import ANSWERER

from orchestra.engine import run
from orchestra.engine.door import form_of
from orchestra.errors import CallFailed, Drift
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.topologies import chain, self_consistency, solo
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Request, Task


def team(model, prompt="{{ prompt }}"):
    return chain(replace(generator, prompt=prompt)(model, name="a"), ANSWERER(model, name="b"))


def test_a_journal_answers_in_place_of_the_model():
    journal = MemoryJournal()
    first = asyncio.run(run(team(Scripted(["1", "2"])), "q", journal=journal))
    silent = Scripted([])
    again = asyncio.run(run(team(silent), "q", journal=journal))
    assert again == first and silent.calls == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda: team(Scripted(["1", "2"]), "Say: {{ prompt }}"), "messages"),
        (lambda: team(Scripted(["1", "2"], name="other weights")), "weights"),
        (
            lambda: chain(
                replace(generator, max_tokens=9)(Scripted(["1"]), name="a"), ANSWERER(Scripted(["2"]), name="b")
            ),
            "max_tokens",
        ),
    ],
)
def test_drift_names_node_and_field(change, named):
    journal = MemoryJournal()
    asyncio.run(run(team(Scripted(["1", "2"])), "q", journal=journal))
    with pytest.raises(Drift, match=rf"chain/a, round 0, call 0: the journal holds another {named}: "):
        asyncio.run(run(change(), "q", journal=journal))


def test_seed_task_and_place_name_a_state_and_nothing_else_does():
    def states(name="q", seed=0, **task):
        model = Scripted(lambda r: "1")
        made = asyncio.run(run(self_consistency(generator(model), n=2), Task(name, "q", **task), seed=seed))
        return [d.key.state for d in made.decisions]

    assert states() == states("another id", gold="7", split="train")
    assert len({*states(), *states(seed=1), *states(kind="number")}) == 6


def test_seeds_of_draws_differ():
    model = Scripted(lambda r: "1")
    asyncio.run(run(self_consistency(generator(model), n=5), "q"))
    assert len({call.seed for call in model.calls}) == 5


def test_a_failure_is_journaled_and_fails_again_in_the_same_place():
    def broken(request):
        raise CallFailed("out of memory")

    journal = MemoryJournal()
    first = asyncio.run(run(solo(generator(Scripted(broken))), "q", journal=journal))
    again = asyncio.run(run(solo(generator(Scripted(["never asked"]))), "q", journal=journal))
    assert first.decisions[0].error == "out of memory" and again == first


def test_a_missing_completion_raises_and_never_shifts():
    model = Scripted(["1"])

    async def fewer(requests):
        return []

    model.generate = fewer
    result = asyncio.run(run(solo(generator(model)), "q"))
    assert "asked for 1 outcomes, got 0" in result.decisions[0].error


def test_a_field_that_came_later_leaves_old_digests_as_they_were():
    """The digest was taken before a Request had a grammar."""
    free = Request((("user", "hi"),))
    before = "f86f117e7ff277dec76e78f58670dece"
    assert form_of(free, "w")[0] == before
    assert form_of(replace(free, grammar='{"regex":"a"}'), "w")[0] != before
