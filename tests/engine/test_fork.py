"""Forks: a run goes on from any of its effects with another draw, another word, or a changed team."""

import asyncio
from dataclasses import replace

import pytest
from small_teams import ANSWERER

from orchestra.engine import START, Edge, Node, last, run
from orchestra.errors import Drift
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Team
from orchestra.topologies import chain
from orchestra.trajectory.journal import Entry, Fork, MemoryJournal
from orchestra.types import Key


def model():
    return Scripted(lambda r: f"{r.seed % 1000}")


def diamond(by, last_role=ANSWERER):
    """first -> (left, right) -> end; and one beside that nothing else hears."""
    names = ["first", "left", "right", "end"]
    edges = [Edge(START, "first"), Edge(START, "beside"), *(Edge("first", n) for n in names[1:3])]
    edges += [Edge(n, "end") for n in names[1:3]]
    nodes = [Node(n, ANSWERER(by, name=n)) for n in (*names[:3], "beside")]
    return Team("d", [*nodes, Node("end", last_role(by, name="end"))], edges, output=last("end"))


def said(made):
    return {m.sender: m.content for m in made.messages}


def test_another_draw_renames_what_follows_and_nothing_else():
    journal, by = MemoryJournal(), model()
    whole = asyncio.run(run(diamond(by), "q", journal=journal))
    left = next(d for d in whole.decisions if d.agent == "left")
    before = len(by.calls)
    fork = asyncio.run(run(diamond(by), "q", journal=journal, start={left.key.state: 1}))
    changed = {name for name, content in said(fork).items() if content != said(whole)[name]}
    assert changed == {"left", "end"} and len(by.calls) - before == 2
    assert fork.id != whole.id and fork.decisions[0] == whole.decisions[0]
    assert asyncio.run(run(diamond(by), "q", journal=journal)) == whole  # the first run is as it was
    assert asyncio.run(run(diamond(by), "q", journal=journal, start={left.key.state: 1})) == fork


def test_a_word_of_ones_own_in_the_place_of_an_effect():
    journal, by = MemoryJournal(), model()
    whole = asyncio.run(run(diamond(by), "q", journal=journal))
    first = whole.decisions[0]
    old = journal.get(first.key)
    own = replace(old.outcome, text="41", output_ids=None, logprobs=None, mask=None)
    journal.put(Key(first.key.state, 1), Entry(old.digest, old.effect, own))
    fork = asyncio.run(run(diamond(by), "q", journal=journal, start={first.key.state: 1}))
    assert said(fork)["first"] == "41"
    assert [d.request.messages[-1][1] for d in fork.decisions if d.agent == "left"] == ["left@0 first=41"]
    assert said(fork)["beside"] == said(whole)["beside"]
    assert {d.agent for d in fork.decisions if d not in whole.decisions} == {"first", "left", "right", "end"}


def test_a_changed_team_repeats_what_it_has_in_common():
    below, by = MemoryJournal(), model()
    whole = asyncio.run(run(diamond(by), "q", journal=below))
    kept, calls = dict(below.entries), len(by.calls)
    patched = diamond(by, replace(ANSWERER, prompt="Decide. " + ANSWERER.prompt))
    fork = Fork(below, MemoryJournal())
    made = asyncio.run(run(patched, "q", journal=fork))
    assert len(by.calls) - calls == 1 and said(made)["left"] == said(whole)["left"]
    assert below.entries == kept and len(fork.own.entries) == 1
    assert asyncio.run(run(patched, "q", journal=fork)) == made and len(by.calls) - calls == 1


def test_without_a_fork_a_changed_team_is_drift():
    below = MemoryJournal()
    asyncio.run(run(chain(generator(Scripted(["7"]), name="a")), "q", journal=below))
    other = chain(replace(generator, prompt="Say {{ prompt }}")(Scripted(["8"]), name="a"))
    with pytest.raises(Drift, match=r"chain/a, round 0, call 0: the journal holds another messages.*--on-drift branch"):
        asyncio.run(run(other, "q", journal=below))
    fork = Fork(below, MemoryJournal())
    assert asyncio.run(run(other, "q", journal=fork)).answer == "8"
    with pytest.raises(Drift):  # what the fork itself holds is as binding as ever
        asyncio.run(
            run(chain(replace(generator, prompt="No {{ prompt }}")(Scripted(["9"]), name="a")), "q", journal=fork)
        )
