"""Search: what a step costs, what it looks for, and that a worse search finds less."""

import asyncio
from dataclasses import replace

import pytest

from orchestra.engine import Budget, Full, grow
from orchestra.errors import BadInput
from orchestra.evaluation.tree_search import Search, search
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.topologies import chain
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Task

TASK = Task("t", "What is 2 + 2?", gold="4", kind="number")
WORDS = ("four it is", "perhaps 5?", "a guess: 17", "I would say 2", "12, no doubt", "none of these")


def team():
    model = Scripted(lambda request: WORDS[request.seed % 6])
    return chain(generator(model), verifier(model), refiner(model)), model


def right(leaf):
    return float("four" in leaf.content)


def test_a_step_pays_for_its_new_rollouts_alone():
    actor, model = team()
    tree = asyncio.run(search(actor, TASK, right))
    assert len(tree.leaves) <= 24 and len(model.calls) == len(tree.decisions)
    assert (len(tree.leaves) - 1) % 3 == 0 and len(tree.leaves) > 4


def test_the_same_arguments_give_the_same_tree_also_from_its_journal():
    actor, model = team()
    journal = MemoryJournal()
    first = asyncio.run(search(actor, TASK, right, journal=journal))
    calls = len(model.calls)
    part = MemoryJournal()
    part.entries = dict(list(journal.entries.items())[: calls // 2])
    again = asyncio.run(search(actor, TASK, right, journal=part))
    assert (again.leaves, again.decisions) == (first.leaves, first.decisions)
    assert len(model.calls) - calls == calls - calls // 2


def test_no_step_passes_the_cap():
    actor, model = team()
    tree = asyncio.run(search(actor, TASK, right, cap=Budget(calls=9)))
    assert len(model.calls) <= 9 and len(tree.leaves) > 1


def test_equal_decisions_are_expanded_once():
    same = Scripted(lambda request: "it is 4")
    actor = chain(*(generator(same, name=name) for name in "abc"))
    tree = asyncio.run(search(actor, TASK, right, Search(rollouts=100)))
    # the beginning, then one decision; every other one says the same as that one
    assert len(tree.leaves) == 1 + 3 + 3


def test_it_finds_more_pairs_than_as_many_calls_spread_evenly():
    """Worlds in which only one first reply in six can be followed by a right one: search goes where it pays."""

    def say(request):
        draw = WORDS[request.seed % 6]
        asked = request.messages[-1][1]
        first = "Proposed" not in asked
        return draw if first or "four it is" in asked else "never right"

    def pairs(tree):
        found = 0
        for state in {d.key.state for d in tree.decisions}:
            ends = [[right(x) for x in tree.leaves if d.key in x.taken] for d in tree.siblings(state)]
            means = [sum(each) / len(each) for each in ends if each]
            found += bool(means) and max(means) - min(means) > 0.2
        return found

    def both(seed):
        model = Scripted(say)
        actor = chain(generator(model), *(refiner(model, name=name) for name in "bcd"))
        greedy = asyncio.run(search(actor, TASK, right, Search(temperature=0.05), seed=seed))
        flat = asyncio.run(search(actor, TASK, lambda leaf: 0.0, Search(temperature=0.05), seed=seed))
        return pairs(greedy), pairs(flat)

    found = [both(seed) for seed in range(30)]
    assert sum(a for a, _ in found) > sum(b for _, b in found)


@pytest.mark.parametrize("wrong", [{"rollouts": 0}, {"draws": 0}, {"temperature": 0.0}, {"new": -1.0}])
def test_a_search_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput, match="expected rollouts"):
        replace(Search(), **wrong)


def test_with_one_draw_a_step_it_is_still_a_tree_of_the_same_decisions():
    actor, _ = team()
    small = asyncio.run(search(actor, TASK, right, Search(rollouts=2, draws=1)))
    whole = asyncio.run(grow(actor, TASK, Full(2)))
    assert {d.key: d for d in small.decisions}.items() <= {d.key: d for d in whole.decisions}.items()
