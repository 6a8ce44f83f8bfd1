"""Advantages: the known answers of the literature, invariances, and rules that give nothing where nothing is known."""

from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit import Scored, agent_chain, group_relative, moving_baseline, nested_mean
from orchestra.credit.agent_chain import advantages
from orchestra.credit.group_relative import relative
from orchestra.errors import BadInput, UnknownName
from orchestra.types import Key

R = [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "scale", "expected"),
    [
        (R, "none", [0.5, -0.5, -0.5, 0.5]),
        (R, "std", [0.5 / 0.57745, -0.5 / 0.57745, -0.5 / 0.57745, 0.5 / 0.57745]),
        (R, "rloo", [2 / 3, -2 / 3, -2 / 3, 2 / 3]),
        ([1.0, 0.0, 0.0, 0.0], "maxrl", [3.0, -1.0, -1.0, -1.0]),
        ([0.0, 0.0], "maxrl", [0.0, 0.0]),
        ([0.3], "none", [0.0]),
        ([0.3], "std", [0.0]),
        ([0.7, 0.7, 0.7], "std", [0.0, 0.0, 0.0]),
    ],
)
def test_known_groups(values, scale, expected):
    assert relative(values, scale) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("scale", ["none", "std", "rloo", "maxrl"])
def test_rounding_is_no_difference(scale):
    """Exactly 0, so that the rows are dropped."""
    assert 0.1 + 0.2 != 0.3
    assert relative([0.1 + 0.2, 0.3, 0.3], scale) == [0.0, 0.0, 0.0]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(-5, 5), st.sampled_from(["none", "std", "rloo"]))
def test_a_constant_changes_nothing_and_they_sum_to_zero(values, constant, scale):
    moved = relative([value + constant for value in values], scale)
    if min(values) < max(values) - 1e-6:
        assert moved == pytest.approx(relative(values, scale), abs=1e-5)
        assert sum(moved) == pytest.approx(0, abs=1e-6)


def test_rloo_is_each_against_the_mean_of_the_others():
    values = [0.1, 0.9, 0.4]
    others = [fmean(values[:i] + values[i + 1 :]) for i in range(3)]
    assert relative(values, "rloo") == pytest.approx([v - o for v, o in zip(values, others, strict=True)])


def test_groups_are_states_and_a_single_draw_gets_nothing(build, chain):
    rewards = tuple({"task": float(path[2].draw == 0)} for path in chain)
    (table,) = group_relative()([Scored(build(chain), rewards)])
    assert {row.advantage for key, row in table.rows.items() if key.state in ("g", "v|0")} == {0.0}
    assert [table.rows[Key("r|00", draw)].advantage for draw in range(3)] == pytest.approx([2 / 3, -1 / 3, -1 / 3])
    alone = build([(Key("g"), Key("r"))])
    (table,) = group_relative()([Scored(alone, ({"task": 1.0},))])
    assert {row.advantage for row in table.rows.values()} == {0.0}, "never the raw reward"


def test_maxrl_wants_rewards_that_are_not_negative_and_scales_have_names():
    with pytest.raises(BadInput, match=">= 0 for maxrl"):
        relative([-1.0, 1.0], "maxrl")
    with pytest.raises(UnknownName, match="did you mean 'rloo'"):
        group_relative(scale="roo")


def scored(trajectory, reward, task="", family="f"):
    return Scored(replace(trajectory, task=replace(trajectory.task, id=task, family=family)), ({"task": reward},))


def test_a_baseline_moves_by_trajectory_family_and_role(build):
    run = build([(Key("g"), Key("v"))])
    batch = [scored(run, 1.0), scored(run, 0.0), scored(run, 0.0, family="other"), scored(run, 1.0)]
    tables = moving_baseline(decay=0.9)(batch)
    found = [table.rows[Key("g")].advantage for table in tables]
    # b: 1; then 0 - 1 and b = 0.9; another family starts anew; then 1 - 0.9
    assert found == pytest.approx([0.0, -1.0, 0.0, 0.1])
    with pytest.raises(BadInput, match="decay"):
        moving_baseline(decay=1.0)


def test_a_talkative_role_moves_its_baseline_once(build):
    chatty = build([(Key("g|1"), Key("g|2"), Key("g|3"))])
    batch = [scored(chatty, 1.0), scored(chatty, 0.0), scored(chatty, 0.0)]
    assert moving_baseline(decay=0.5)(batch)[2].rows[Key("g|1")].advantage == pytest.approx(-0.5)


def test_agents_of_one_role_share_its_baseline(build):
    """b = 1 by the first; the second, of the same role, is held against it and not let off as a newcomer."""
    first, second = (build([(Key(name),)]) for name in "gv")
    second = replace(second, decisions=tuple(replace(d, role="g") for d in second.decisions))
    tables = moving_baseline()([scored(first, 1.0), scored(second, 0.0)])
    assert tables[1].rows[Key("v")].advantage == -1.0


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6), st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_gae_against_its_definition(values, gamma, decay, reward):
    """A_j = sum over k >= j of (gamma lambda)^(k - j) delta_k."""
    rewards = [*[0.0] * (len(values) - 1), reward]
    after = [*values[1:], 0.0]
    delta = [r + gamma * v2 - v for r, v, v2 in zip(rewards, values, after, strict=True)]
    slow = [sum((gamma * decay) ** (k - j) * delta[k] for k in range(j, len(values))) for j in range(len(values))]
    assert advantages(values, rewards, gamma, decay) == pytest.approx(slow, abs=1e-9)


def test_along_a_chain_by_hand(build):
    # two draws of g; g0 leads to r0 right and r1 wrong, g1 to two wrong ones
    paths = [(Key("g", g), Key(f"r|{g}", r)) for g in range(2) for r in range(2)]
    rewards = tuple({"task": reward} for reward in (1.0, 0.0, 0.0, 0.0))
    rows = agent_chain(decay=0.0)([Scored(build(paths), rewards)])[0].rows
    # V(g) = 1/4, V(r|0) = 1/2, V(r|1) = 0: the step's own change of value
    assert [rows[Key("g", g)].advantage for g in range(2)] == pytest.approx([0.25, -0.25])
    assert [rows[Key("r|0", r)].advantage for r in range(2)] == pytest.approx([0.5, -0.5])
    whole = agent_chain(decay=1.0)([Scored(build(paths), rewards)])[0].rows
    assert [whole[Key("g", g)].advantage for g in range(2)] == pytest.approx([0.25, -0.25])


def test_with_no_lookahead_it_is_the_group_relative_advantage(build, chain):
    rewards = tuple({"task": float(i % 4 == 0)} for i in range(27))
    tree = Scored(build(chain), rewards)
    step, group = agent_chain(decay=0.0)([tree])[0].rows, group_relative()([tree])[0].rows
    for key in step:
        assert step[key].advantage == pytest.approx(group[key].advantage)


def test_a_run_alone_says_nothing_about_who_did_it(build):
    run = build([(Key("g"), Key("v"), Key("r"))])
    for reward in (0.0, 1.0):
        rows = agent_chain()([Scored(run, ({"task": reward},))])[0].rows
        assert {row.advantage for row in rows.values()} == {0.0}
        assert nested_mean()([Scored(run, ({"task": reward},))])[0].rows[Key("g")].value == reward
