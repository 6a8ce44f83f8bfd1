"""Modes of a tree: who branches, who goes on, and how many leaves that gives."""

import asyncio
from collections import Counter

import pytest
from small_teams import Caller

from orchestra.engine import START, Aligned, Best, Chosen, Edge, Full, Node, grow
from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Team
from orchestra.topologies import chain, debate
from orchestra.types import FrozenMap, Task

TASK = Task("t", "What is 2 + 2?", gold="4", kind="number")


def said(request):
    return f"It is {request.seed % 97}."


def draws(tree, leaf):
    """The draw of each decision of a leaf, by agent and round."""
    known = {decision.key: decision for decision in tree.decisions}
    return {(known[key].agent, known[key].round): key.draw for key in leaf.taken}


def debaters(n, rounds, graph="full"):
    model = Scripted(said)
    return debate([debater(model, name=name) for name in "abcdefgh"[:n]], rounds=rounds, graph=graph, share=0.99)


@pytest.mark.parametrize("graph", ["full", "ring", "star"])
@pytest.mark.parametrize(("agents", "rounds", "n"), [(2, 1, 3), (3, 2, 2), (5, 2, 2)])
def test_aligned_debaters_give_n_leaves_a_round_and_not_n_to_their_number(agents, rounds, n, graph):
    team = debaters(agents, rounds, graph)
    tree = asyncio.run(grow(team, TASK, Aligned(team, n)))
    assert len(tree.leaves) == n**rounds
    for leaf in tree.leaves:
        for r in range(rounds):
            assert len({draw for (_, at), draw in draws(tree, leaf).items() if at == r}) == 1
    # every agent's first round is shared by all leaves; later ones follow from each joint draw
    assert len(tree.decisions) == sum(agents * n ** (r + 1) for r in range(rounds))


def test_full_crosses_what_aligned_joins():
    team = debaters(3, 1)
    assert len(asyncio.run(grow(team, TASK, Full(2))).leaves) == 2**3
    assert len(asyncio.run(grow(team, TASK, Aligned(team, 2))).leaves) == 2


def test_a_chain_branches_alike():
    model = Scripted(said)
    team = chain(generator(model), verifier(model), refiner(model))
    full, aligned = (asyncio.run(grow(team, TASK, branch)) for branch in (Full(2), Aligned(team, 2)))
    assert full.leaves == aligned.leaves and full.decisions == aligned.decisions
    assert full.id != aligned.id


def test_layers_are_those_of_the_longest_path_also_in_nested_teams():
    model = Scripted(said)
    inner = Team("inner", [Node(n, Caller()) for n in "xy"], [Edge(START, "x"), Edge(START, "y")])
    nodes = [Node("a", Caller()), Node("inner", inner), Node("end", generator(model))]
    edges = [Edge(START, "a"), Edge(START, "inner"), Edge("a", "end"), Edge("inner", "end"), Edge(START, "end")]
    team = Team("outer", nodes, edges)
    tree = asyncio.run(grow(team, TASK, Aligned(team, 2)))
    for leaf in tree.leaves:
        taken = {name: draw for (name, _), draw in draws(tree, leaf).items()}
        assert taken["x"] == taken["y"]
    # a, the joint (x, y) and end: three that branch by themselves
    assert len(tree.leaves) == 2**3


def test_the_best_goes_on_and_its_siblings_stay():
    model = Scripted(said)
    team = chain(generator(model), verifier(model), refiner(model))

    def last_digit(call, completion):
        return float(completion.text[-2])

    tree = asyncio.run(grow(team, TASK, Best(4, last_digit)))
    assert (len(tree.leaves), len(tree.decisions), len(model.calls)) == (1, 12, 12)
    for key in tree.leaves[0].taken:
        scores = [float(each.completion.text[-2]) for each in tree.siblings(key.state)]
        assert key.draw == scores.index(max(scores))
    assert tree.id == asyncio.run(grow(team, TASK, Best(4, last_digit))).id, "named without addresses in memory"


def test_a_score_that_is_no_number_ends_its_leaf():
    team = chain(generator(Scripted(said)))
    with pytest.raises(BadInput, match="expected a number for each draw"):
        asyncio.run(grow(team, TASK, Best(2, lambda call, completion: float("nan"))))


def test_chosen_states_get_more_draws():
    team = chain(*(generator(Scripted(said), name=name) for name in "ab"))
    one = asyncio.run(grow(team, TASK, Chosen()))
    assert len(one.leaves) == 1
    second = one.decisions[1].key.state
    tree = asyncio.run(grow(team, TASK, Chosen(FrozenMap({second: 3}))))
    assert Counter(d.agent for d in tree.decisions) == {"a": 1, "b": 3}


@pytest.mark.parametrize("branch", [Full, lambda n: Aligned(debaters(2, 1), n), lambda n: Best(n, len)])
def test_nothing_grows_from_no_draw(branch):
    with pytest.raises(BadInput, match="at least one draw"):
        branch(0)
