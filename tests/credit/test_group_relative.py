"""What a group is, what is compared in it, and what becomes of a draw that has none."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit import Annotation, Baselines, Scored, Table, group_relative, moving_baseline
from orchestra.credit.group_relative import relative
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.types import Key


def scored(tree, *rewards):
    return Scored(tree, tuple({"task": reward} for reward in rewards))


def advantages(rule, *batch):
    return [{key: row.advantage for key, row in table.rows.items()} for table in rule(list(batch))]


def of_task(tree, **changes):
    return replace(tree, task=replace(tree.task, **changes))


@pytest.fixture
def tree(build):
    """Two draws of g, each with two of r: the first leads to one right leaf of two, the second to none."""
    return scored(build([(Key("g", g), Key(f"r|{g}", r)) for g in range(2) for r in range(2)]), 1.0, 0.0, 0.0, 0.0)


def own(values):
    """A local rule that values some decisions."""
    return lambda batch: [
        Table("own", "{}", {d.key: Annotation(values.get(d.key)) for d in each.trajectory.decisions}) for each in batch
    ]


def test_naive_groups_compare_what_followed_from_different_states(tree):
    by_state, by_turn = (advantages(group_relative(by=by), tree)[0] for by in ("state", "turn"))
    assert [by_state[Key("g", g)] for g in range(2)] == [by_turn[Key("g", g)] for g in range(2)] == [0.25, -0.25]
    # r|1 was lost before r spoke: against its siblings it did nothing wrong, against all of the turn it did
    right = [(Key(f"r|{g}", r)) for g in range(2) for r in range(2)]
    assert [by_state[key] for key in right] == [0.5, -0.5, 0.0, 0.0]
    assert [by_turn[key] for key in right] == [0.75, -0.25, -0.25, -0.25]


def test_naive_groups_go_across_runs_of_one_task_team_and_version(build):
    run = build([(Key("g"), Key("v"))])
    rule = group_relative(by="turn")
    found = advantages(rule, scored(run, 1.0), scored(run, 0.0))
    assert [each[Key("g")] for each in found] == [0.5, -0.5]
    newer = replace(run, decisions=tuple(replace(d, weights="w2") for d in run.decisions))
    for other in (of_task(run, id="another"), replace(run, team="another"), newer):
        assert {*advantages(rule, scored(run, 1.0), scored(other, 0.0))[0].values()} == {0.0}
    assert {*advantages(group_relative(), scored(run, 1.0), scored(run, 0.0))[0].values()} == {0.0}, "states: one run"


def test_naive_groups_tell_rounds_and_calls_apart(build):
    run = build([(Key("g|1"), Key("g|2"))])
    first, second = run.decisions
    for change in ({"round": 1}, {"index": 1}, {"agent": "h"}):
        other = replace(run, decisions=(first, replace(second, **change)))
        rule = group_relative(by="turn", local=own({Key("g|1"): 1.0}))
        assert {*advantages(rule, scored(other, 0.0))[0].values()} == {0.0}
    assert [*advantages(rule, scored(run, 0.0))[0].values()] == [0.5, -0.5]


def test_team_and_local_rewards_are_weighed(tree):
    local = own({Key("r|0", 1): 0.5, Key("r|1", 0): 1.0})
    rows = group_relative(alpha=0.7, local=local)([tree])[0].rows
    # r|0: 0.7 and 0.5; r|1: 1 and 0; g: 0.7 x 0.5 and 0, since it has no local reward and what follows keeps its own
    assert [rows[Key(f"r|{g}", r)].value for g in range(2) for r in range(2)] == pytest.approx([0.7, 0.5, 1.0, 0.0])
    assert [rows[Key("r|0", r)].advantage for r in range(2)] == pytest.approx([0.1, -0.1])
    assert [rows[Key("r|1", r)].advantage for r in range(2)] == pytest.approx([0.5, -0.5])
    assert [rows[Key("g", g)].advantage for g in range(2)] == pytest.approx([0.175, -0.175])
    assert rows[Key("g", 0)].stderr == pytest.approx(0.7 * 0.5)


def test_draws_that_did_not_go_on_are_compared_by_local_rewards_alone(build):
    path = build([(Key("g", 0), Key("v", 0))])
    best = replace(path, decisions=(*path.decisions, replace(path.decisions[0], key=Key("g", 1))))
    local = own({Key("g", 0): 1.0, Key("g", 1): 0.0})
    (found,) = advantages(group_relative(alpha=0, local=local), scored(best, 1.0))
    assert found == {Key("g", 0): 0.5, Key("g", 1): -0.5, Key("v", 0): 0.0}
    (found,) = advantages(group_relative(local=local), scored(best, 1.0))
    assert found == {Key("g", 0): 0.0, Key("g", 1): None, Key("v", 0): 0.0}, "not against one that has no V"


def nothing_for_singletons(rule):
    for reward in (0.3, 1.0, -2.0):
        assert rule([reward]) == [0.0]


def test_a_singleton_never_gets_its_raw_reward():
    def of_verl(values):
        """Control: mean 0 and deviation 1 where a group has one draw (verl, core_algos)."""
        return values if len(values) == 1 else relative(values, "std")

    for scale in ("none", "std", "rloo", "maxrl"):
        nothing_for_singletons(lambda values, scale=scale: relative(values, scale))
    with pytest.raises(AssertionError):
        nothing_for_singletons(of_verl)


def test_a_singleton_is_held_against_its_roles_past(build):
    run = build([(Key("g"), Key("v"))])
    rewards = (1.0, 0.0, 1.0, 1.0)
    batch = [scored(run, reward) for reward in rewards]
    found = [each[Key("g")] for each in advantages(group_relative(single="moving"), *batch)]
    assert found == pytest.approx([0.0, -1.0, 0.05, 0.0475])
    assert not any(a == pytest.approx(r) for a, r in zip(found, rewards, strict=True))
    assert found == [each[Key("g")] for each in advantages(moving_baseline(), *batch)]


def test_siblings_keep_their_group_and_move_the_baseline(tree, build):
    alone = build([(Key("g"),)])
    first, second = advantages(group_relative(single="moving"), tree, scored(alone, 1.0))
    assert first == advantages(group_relative(), tree)[0]
    assert second[Key("g")] == pytest.approx(0.75), "b is the mean of g's values in the tree, 1/4"


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12), st.data())
def test_baselines_saved_and_loaded_go_on_exactly(build, rewards, data):
    run = build([(Key("g"), Key("v"))])
    batch = [scored(of_task(run, family="ab"[i % 2]), reward) for i, reward in enumerate(rewards)]
    cut = data.draw(st.integers(0, len(batch)))
    for rule, settings in ((group_relative, {"single": "moving"}), (moving_baseline, {})):
        whole = advantages(rule(**settings), *batch)
        kept = Baselines()
        before = advantages(rule(**settings, baselines=kept), *batch[:cut])
        loaded = Baselines.read(json.loads(json.dumps(kept.plain())))
        after = advantages(rule(**settings, baselines=loaded), *batch[cut:])
        assert before + after == whole, "to the last bit"
    # Control: without what was kept the second half starts anew.
    assert advantages(moving_baseline(), *batch[1:])[0][Key("g")] == 0.0


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"decay": 2.0, "values": []},
        {"decay": 0.9, "values": [["f", "g"]]},
        {"decay": 0.9, "values": [["f", "g", "much"]]},
        {"decay": 0.9, "values": [["f", "g", float("nan")]]},
    ],
)
def test_what_is_no_saved_baseline_is_refused(saved):
    with pytest.raises(BadData, match="baselines"):
        Baselines.read(saved)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"by": "sate"}, UnknownName, "did you mean 'state'"),
        ({"single": "raw"}, UnknownName, "unknown single of group_relative 'raw'"),
        ({"alpha": -1.0}, BadInput, "alpha"),
        ({"alpha": float("nan")}, BadInput, "alpha"),
        ({"alpha": 0.0}, BadInput, "0 beside a local rule"),
        ({"baselines": Baselines()}, BadInput, "baselines, but single='zero'"),
    ],
)
def test_settings_that_do_not_exist_or_fit(settings, error, said):
    with pytest.raises(error, match=said):
        group_relative(**settings)
    with pytest.raises(BadInput, match="the same decay"):
        moving_baseline(decay=0.5, baselines=Baselines(0.9))


def test_tables_say_how_they_were_made(tree):
    assert group_relative()([tree])[0].config == '{"component":"task","scale":"none"}', "as before there were others"
    settings = group_relative(by="turn", single="moving", alpha=0.7, local=own({}))([tree])[0].config
    assert json.loads(settings) == {
        "component": "task", "scale": "none", "by": "turn", "single": "moving", "alpha": 0.7, "local": ["own", "{}"],
    }  # fmt: skip
    assert group_relative(local=own({}))([]) == []
