"""Trees: the known answers of the design, sharing among parallel agents, growing from a chosen draw, and resuming."""

import asyncio
from dataclasses import replace

from small_teams import Caller

from orchestra.engine import START, Budget, Edge, Full, Node, Spoken, grow
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.team import Team
from orchestra.topologies import chain
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import FrozenMap, Task

TASK = Task("t", "What is 2 + 2?", gold="4", kind="number")


def malt(say=lambda request: f"yes {request.seed % 10}"):
    model = Scripted(say)
    return chain(generator(model), verifier(model), refiner(model)), model


def test_three_by_three_by_three():
    team, model = malt()
    tree = asyncio.run(grow(team, TASK, Full(3)))
    assert (len(tree.decisions), len(tree.leaves), len(model.calls)) == (39, 27, 39)
    assert [len(tree.path(leaf)) for leaf in tree.leaves] == [3] * 27
    states = {d.key.state for d in tree.decisions}
    assert len(states) == 1 + 3 + 9 and all(len(tree.siblings(s)) == 3 for s in states)
    assert [tuple(k.draw for k in leaf.taken) for leaf in tree.leaves] == sorted(
        tuple(k.draw for k in leaf.taken) for leaf in tree.leaves
    )
    assert all(leaf.usage.calls == 3 for leaf in tree.leaves)


def parallel():
    nodes = [Node("A", Caller()), Node("B", Caller()), Node("J", Caller())]
    return Team("pair", nodes, [Edge(START, "A"), Edge(START, "B"), Edge("A", "J"), Edge("B", "J")])


def test_parallel_agents_share_their_samples():
    tree = asyncio.run(grow(parallel(), TASK, Full(2)))
    assert (len(tree.decisions), len(tree.leaves)) == (12, 8)
    by_agent = {name: {d.key for d in tree.decisions if d.agent == name} for name in "ABJ"}
    assert [len(by_agent[n]) for n in "ABJ"] == [2, 2, 8]
    assert len({k.state for k in by_agent["B"]}) == 1, "B does not depend on A, so its state keeps its name"


def test_roles_branch_by_their_own_number():
    team, model = malt()
    tree = asyncio.run(grow(team, TASK, Full(1, FrozenMap({"generator": 4, "refiner": 2}))))
    assert (len(tree.decisions), len(tree.leaves), len(model.calls)) == (4 + 4 + 8, 8, 16)


def first_part(team):
    return replace(team, stop=Spoken(("generator",)))


def test_the_first_part_of_a_team_ends_with_the_answer_so_far():
    team, model = malt(lambda request: f"It is {request.seed % 10}")
    tree = asyncio.run(grow(first_part(team), TASK, Full(4)))
    assert len(model.calls) == len(tree.leaves) == 4 and tree.leaves[0].stopped_by == "generator spoke"
    assert [leaf.answer for leaf in tree.leaves] == [d.completion.text[-1] for d in tree.decisions]


class OnlyBest:
    """Draws three and goes on with the one of the lowest text; of a verifier with none."""

    def draws(self, call, taken):
        return 3

    def keep(self, call, taken, drawn):
        return [] if call.by.role == "verifier" else [min(range(3), key=lambda i: drawn[i].text)]


def test_a_leaf_that_is_not_kept_ends_and_its_decisions_stay():
    team, model = malt()
    tree = asyncio.run(grow(team, TASK, OnlyBest()))
    assert (len(tree.decisions), tree.leaves, len(model.calls)) == (6, (), 6)


def test_growing_on_from_a_draw_pays_only_for_what_is_new():
    team, model = malt()
    journal = MemoryJournal()
    first = asyncio.run(grow(first_part(team), TASK, Full(4), journal=journal))
    chosen = first.decisions[2]
    tree = asyncio.run(
        grow(team, TASK, Full(3, FrozenMap({"generator": 1})), journal=journal, start={chosen.key.state: 2})
    )
    assert len(tree.leaves) == 9 and all(leaf.taken[0] == chosen.key for leaf in tree.leaves)
    assert len(model.calls) == 4 + 3 + 9
    found = {d.key: d.completion.text for d in tree.decisions}
    assert found[chosen.key] == chosen.completion.text


def test_a_tree_resumes_like_a_run():
    team, model = malt()
    journal = MemoryJournal()
    whole = asyncio.run(grow(team, TASK, Full(3), journal=journal))
    for kept in (0, 1, 17, 38):
        part = MemoryJournal()
        part.entries = dict(list(journal.entries.items())[:kept])
        before = len(model.calls)
        again = asyncio.run(grow(team, TASK, Full(3), journal=part))
        assert again.leaves == whole.leaves and again.decisions == whole.decisions
        assert len(model.calls) - before == 39 - kept


def test_a_leaf_is_charged_for_its_own_path_alone():
    team, _ = malt()
    tree = asyncio.run(grow(team, TASK, Full(3), budget=Budget(calls=3)))
    assert len(tree.leaves) == 27 and {leaf.stopped_by for leaf in tree.leaves} == {"done"}
    short = asyncio.run(grow(team, TASK, Full(3), budget=Budget(calls=2)))
    assert {leaf.stopped_by for leaf in short.leaves} == {"budget"}


def test_the_cap_of_a_tree_holds_for_all_of_it():
    team, model = malt()
    tree = asyncio.run(grow(team, TASK, Full(3), cap=Budget(calls=20)))
    assert len(model.calls) <= 20 and "budget" in {leaf.stopped_by for leaf in tree.leaves}
