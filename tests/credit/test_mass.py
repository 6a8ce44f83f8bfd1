"""Mass: trees worked out by hand, the engine's own, a second derivation from leaves, and weights that must fail."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace
from fractions import Fraction
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_teams import ANSWERER

from orchestra.credit import Scored, agent_chain, leaf_masses, masses, per_call
from orchestra.engine import Aligned, Best, Full
from orchestra.models.scripted import Scripted
from orchestra.topologies import chain as chain_of
from orchestra.topologies import debate
from orchestra.types import Key


def of_states(found):
    """Mass of each state: that of its draws together, which must be alike."""
    draws = defaultdict(list)
    for key, mass in found.items():
        draws[key.state].append(mass)
    assert all(of_state == pytest.approx([of_state[0]] * len(of_state)) for of_state in draws.values())
    return {state: sum(of_state) for state, of_state in draws.items()}


def by_leaves(tree):
    """The same in other words: a leaf's chance is that of drawing it where each draw that goes on is equally likely,
    and a state has the chance of the leaves through it, shared by its draws.
    """
    kept = defaultdict(set)
    for leaf in tree.leaves:
        for place, key in enumerate(leaf.taken):
            kept[leaf.taken[:place]].add(key)
    through, draws = Counter(), Counter(decision.key.state for decision in tree.decisions)
    for leaf in tree.leaves:
        chance = prod(
            (Fraction(1, len(kept[leaf.taken[:place]])) for place in range(len(leaf.taken))), start=Fraction(1)
        )
        for key in leaf.taken:
            through[key.state] += chance
    return {decision.key: float(through[decision.key.state] / draws[decision.key.state]) for decision in tree.decisions}


def by_share_of_leaves(tree):
    """Control: what is right on full trees alone."""
    return {d.key: sum(d.key in leaf.taken for leaf in tree.leaves) / len(tree.leaves) for d in tree.decisions}


def with_siblings(tree, keys):
    """The tree with draws that did not go on."""
    return replace(tree, decisions=(*tree.decisions, *(replace(tree.decisions[0], key=key) for key in keys)))


def test_a_full_tree(build, chain):
    found = masses(build(chain))
    assert {mass for key, mass in found.items() if key.state == "g"} == {1 / 3}
    assert [found[Key("v|0", 1)], found[Key("r|21", 2)]] == pytest.approx([1 / 9, 1 / 27])
    for level in "gvr":
        assert sum(mass for key, mass in found.items() if key.state.startswith(level)) == pytest.approx(1)


def test_parallel_agents_before_a_join(build, joined):
    found = masses(build(joined))
    assert len(found) == 12
    for state, mass in {"a": 1 / 2, "b": 1 / 2, "j|00": 1 / 8, "j|01": 1 / 8, "j|10": 1 / 8, "j|11": 1 / 8}.items():
        assert [found[Key(state, 0)], found[Key(state, 1)]] == [mass, mass]


def test_agents_who_go_on_together(build):
    # draw j of a goes with draw j of b: b is met at two nodes of mass 1/2, and each of its draws is met at both
    paths = [(Key("a", i), Key("b", i), Key(f"j|{i}", j)) for i in range(2) for j in range(2)]
    found = masses(build(paths))
    assert {key.state: mass for key, mass in found.items()} == {"a": 1 / 2, "b": 1 / 2, "j|0": 1 / 4, "j|1": 1 / 4}


def test_a_run_without_branches(build):
    run = build([(Key("g"), Key("v"), Key("r"))])
    assert masses(run) == dict.fromkeys((d.key for d in run.decisions), 1.0)
    assert masses(build([()])) == {}


def test_one_of_four_goes_on(build):
    path = tuple(Key(state, 2) for state in "gvr")
    tree = with_siblings(build([path]), [Key(state, draw) for state in "gvr" for draw in (0, 1, 3)])
    assert masses(tree) == dict.fromkeys((Key(state, draw) for state in "gvr" for draw in range(4)), 0.25)


def test_uneven_branches_by_hand(build):
    # of three draws of g two go on: g0 to two draws of r, g1 to one that no second followed
    tree = with_siblings(
        build([(Key("g", 0), Key("r|0", 0)), (Key("g", 0), Key("r|0", 1)), (Key("g", 1), Key("r|1"))]), [Key("g", 2)]
    )
    found = masses(tree)
    assert [found[Key("g", draw)] for draw in range(3)] == pytest.approx([1 / 3] * 3)
    assert [found[Key("r|0", 0)], found[Key("r|0", 1)], found[Key("r|1", 0)]] == [0.25, 0.25, 0.5]
    assert by_share_of_leaves(tree) != pytest.approx(found), "the control can tell"


def test_leaves_count_by_their_chance_where_they_end_at_different_depths(build):
    """g0 ends at once and earns 1, g1 goes on to two draws that earn nothing: the state is worth 1/2, not 1/3."""
    tree = build([(Key("u"), Key("g", 0)), (Key("u"), Key("g", 1), Key("r", 0)), (Key("u"), Key("g", 1), Key("r", 1))])
    assert leaf_masses(tree) == [0.5, 0.25, 0.25]
    scored = Scored(tree, ({"task": 1.0}, {"task": 0.0}, {"task": 0.0}))
    row = agent_chain(decay=1.0)([scored])[0].rows[Key("u")]
    assert row.value == 0.5 and row.advantage == pytest.approx(0.0)  # a plain mean over leaves would say -1/6


def test_states_that_are_met_at_one_place_share_it(build):
    """After equal draws of g one run went on to v and another to r, as merged trees may have it."""
    tree = build([(Key("g"), Key("v", 0)), (Key("g"), Key("v", 1)), (Key("g"), Key("r"))])
    assert masses(tree) == {Key("g"): 1.0, Key("v", 0): 0.25, Key("v", 1): 0.25, Key("r"): 0.5}
    assert leaf_masses(tree) == [0.25, 0.25, 0.5]


def test_a_failed_draw_counts_in_no_group(build):
    tree = build([(Key("g", draw),) for draw in range(2)])
    failed = replace(tree.decisions[0], key=Key("g", 2), completion=None, error="lost")
    lost = replace(tree.decisions[0], key=Key("elsewhere"))
    found = masses(replace(tree, decisions=(*tree.decisions, failed, lost)))
    assert found == {Key("g", 0): 0.5, Key("g", 1): 0.5, Key("g", 2): 0.0, Key("elsewhere"): 0.0}


@st.composite
def trees(draw, build):
    """Random trees of equal depth: some agents do not see the one before, and of a state's draws some go on."""
    paths, keys = [()], []
    for level in range(draw(st.integers(1, 4))):
        blind, longer, drawn = draw(st.booleans()), [], {}
        for path in paths:
            state = f"{level}|{path[:-1] if blind else path}"
            if state not in drawn:
                drawn[state] = draw(st.integers(1, 3))
                keys += [Key(state, i) for i in range(drawn[state])]
            kept = draw(st.sets(st.integers(0, drawn[state] - 1), min_size=1))
            longer += [(*path, Key(state, i)) for i in sorted(kept)]
        paths = longer
    tree = build(paths)
    return with_siblings(tree, [key for key in keys if key not in {d.key for d in tree.decisions}])


@given(st.data())
def test_siblings_weigh_alike_and_each_depth_adds_up_to_one(build, data):
    tree = data.draw(trees(build))
    found = masses(tree)
    assert found == pytest.approx(by_leaves(tree))
    depths = Counter()
    for state, mass in of_states(found).items():
        depths[state.partition("|")[0]] += mass
    assert dict(depths) == pytest.approx(dict.fromkeys(depths, 1.0))


def test_trees_that_the_engine_grew():
    # Each agrees with itself alone, so that no quorum ends a debate.
    model = Scripted(lambda request: f"{request.messages[-1][1][0]}{request.seed % 7}")
    agents = [ANSWERER(model, name=name) for name in "abc"]

    def grown(team, branch):
        return asyncio.run(team.grow("q", branch))

    best = grown(chain_of(*agents), Best(4, lambda call, said: float(said.text[1:])))
    assert [*masses(best).values()] == [0.25] * 12
    full = grown(chain_of(*agents), Full(3))
    assert Counter(round(1 / mass) for mass in masses(full).values()) == {3: 3, 9: 9, 27: 27}
    talk = debate(agents[:2], rounds=2)
    for branch in (Full(2), Aligned(talk, 3)):
        tree = grown(talk, branch)
        assert masses(tree) == pytest.approx(by_leaves(tree))
        assert sum(masses(tree).values()) == pytest.approx(4.0), "two agents, two rounds"


def test_per_call_an_agent_weighs_one_however_often_it_speaks(build):
    run = build([tuple(Key(state) for state in ("g|1", "v", "g|2", "g|3"))])
    found = per_call(run, masses(run))
    assert found == pytest.approx({Key("g|1"): 1 / 3, Key("v"): 1.0, Key("g|2"): 1 / 3, Key("g|3"): 1 / 3})


def test_per_call_counts_the_calls_of_an_agent_not_of_its_role(build):
    run = build([tuple(Key(state) for state in ("g|1", "v", "g|2"))])
    run = replace(run, decisions=tuple(replace(d, role="talker") for d in run.decisions))
    assert per_call(run, masses(run)) == {Key("g|1"): 0.5, Key("v"): 1.0, Key("g|2"): 0.5}


def test_per_call_siblings_still_weigh_alike(build):
    # after g0 the agent speaks twice more, after g1 never again: 3 and 1 calls, 2 as their mean
    tree = build([(Key("g", 0), Key("g|0"), Key("g|00")), (Key("g", 1), Key("v|1"))])
    found = per_call(tree, masses(tree))
    assert [found[Key("g", draw)] for draw in range(2)] == [0.25, 0.25]
    assert found[Key("g|0")] == pytest.approx(0.5 / 3) and found[Key("v|1")] == 0.5
