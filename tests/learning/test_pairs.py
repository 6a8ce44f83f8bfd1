"""Preference pairs: MALT's tree by hand, thresholds, and the random control."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from orchestra.credit import Annotation, Scored, Table, confident, nested_mean
from orchestra.errors import BadData, BadInput
from orchestra.learning.pairs import Choosing, preference_pairs
from orchestra.trajectory.trajectory import Leaf
from orchestra.types import Key, Usage


def siblings(decide, texts, **options):
    """Draws of one state; each says its text in ids of its own."""
    return [
        decide("s", (1, 2), tuple(range(10 * i + 10, 10 * i + 13)), draw=i, text=text, **options)
        for i, text in enumerate(texts)
    ]


def table(*values, errors=None):
    errors = errors or [None] * len(values)
    rows = zip(values, errors, strict=True)
    return Table("t", "", {Key("s", i): Annotation(value, error) for i, (value, error) in enumerate(rows)})


def pairs(trajectory, values, judge=None, **choosing):
    found = preference_pairs([trajectory], [values], Choosing(**choosing), judge=judge)
    return [(pair.chosen.draw, pair.rejected.draw) for pair in found]


def malt_tree(decide):
    """Three draws each of generator, verifier and refiner; a leaf is right if its draws sum to a multiple of three."""
    decisions, leaves, rewards = {}, [], []
    for g, v, r in product(range(3), repeat=3):
        path = [("g", "generator", g), (f"v{g}", "verifier", v), (f"r{g}{v}", "refiner", r)]
        for state, role, draw in path:
            ids = tuple(map(ord, state))
            decisions[state, draw] = decide(
                state, ids, (100 + draw,), draw=draw, role=role, text=f"{role} {'xyz'[draw] * 4}"
            )
        leaves.append(Leaf(tuple(Key(state, draw) for state, _, draw in path), None, "end", Usage()))
        rewards.append({"task": float(g == 0 or (g == 1 and v == 0))})
    return list(decisions.values()), leaves, rewards


def test_the_pairs_of_malt_s_tree(decide, run_of):
    decisions, leaves, rewards = malt_tree(decide)
    tree = replace(run_of(*decisions), leaves=tuple(leaves))
    (values,) = nested_mean()([Scored(tree, tuple(rewards))])
    found = preference_pairs([tree], [values], Choosing(select="all", per_state=9))
    # g0 is worth 1, g1 a third, g2 nothing: two pairs; under g1 one verifier is worth 1, the others nothing: two
    assert {(p.chosen, p.rejected) for p in found} == {
        (Key("g", 0), Key("g", 1)), (Key("g", 0), Key("g", 2)),
        (Key("v1", 0), Key("v1", 1)), (Key("v1", 0), Key("v1", 2)),
    }  # fmt: skip
    for pair in found:
        assert pair.chosen.state == pair.rejected.state
        assert pair.prompt_ids == tuple(map(ord, pair.chosen.state))
        assert pair.chosen_ids == (100 + pair.chosen.draw,) and pair.chosen_mask == (1,)
    verifiers = preference_pairs([tree], [values], roles=("verifier",))
    assert [(p.chosen, p.policy) for p in verifiers] == [(Key("v1", 0), "verifier")]


def test_thresholds(decide, run_of):
    run = run_of(*siblings(decide, ["one thing", "another thing", "what else"]))
    assert pairs(run, table(0.9, 0.5, 0.1), select="all", per_state=9) == [(0, 2), (0, 1)]
    assert pairs(run, table(0.9, 0.5, 0.1)) == [(0, 2)]
    assert pairs(run, table(0.9, 0.8, 0.75)) == [], "all are good: no pair in MALT's mode"
    assert pairs(run, table(0.5, 0.1, 0.0)) == [], "one half counts as wrong"
    assert pairs(run, table(0.6, 0.45, None)) == [], "a gap of 0.15 is less than 0.2, and None is no value"
    assert pairs(run, table(0.6, 0.4, None)) == [(0, 1)], "0.2 up to rounding"


def test_words_that_hardly_differ_make_no_pair(decide, run_of):
    near = run_of(*siblings(decide, ["the answer is 91 apples", "the answer is 92 apples"]))
    assert pairs(near, table(1.0, 0.0)) == []
    assert pairs(near, table(1.0, 0.0), distance=0.0) == [(0, 1)]
    same = run_of(*siblings(decide, ["equal", "equal"]))
    assert pairs(same, table(1.0, 0.0), distance=0.0) == [], "equal words are never better than themselves"


def test_only_confident_labels(decide, run_of):
    run = run_of(*siblings(decide, ["one thing", "another"]))
    assert pairs(run, table(0.9, 0.1, errors=(0.1, 0.1)), confident) == [(0, 1)]
    assert pairs(run, table(0.9, 0.1, errors=(0.5, 0.1)), confident) == []


def test_a_bad_reply_may_be_unparseable_and_a_good_one_not(decide, run_of):
    good, bad = siblings(decide, ["one thing", "another"])
    assert pairs(run_of(good, replace(bad, error="no number")), table(1.0, 0.0)) == [(0, 1)]
    assert pairs(run_of(replace(good, error="no number"), bad), table(1.0, 0.0)) == []
    assert pairs(run_of(good, replace(bad, completion=None)), table(1.0, 0.0)) == []


def test_by_chance_is_the_control(decide, run_of):
    texts = ["alpha", "bravo", "charlie", "delta", "echo"]
    runs = [run_of(*siblings(decide, texts), run=f"t{i}") for i in range(60)]
    values = [table(1.0, 0.8, 0.7, 0.3, 0.0)] * 60
    best = preference_pairs(runs, values, Choosing())
    chance = preference_pairs(runs, values, Choosing(select="random"))
    assert {(p.chosen.draw, p.rejected.draw) for p in best} == {(0, 4)} and len(best) == 1, "equal pairs count once"
    assert len({(p.chosen.draw, p.rejected.draw) for p in chance}) == 6
    assert chance == preference_pairs(runs, values, Choosing(select="random"))
    assert chance != preference_pairs(runs, values, Choosing(select="random", seed=1))


def test_shares_and_caps(decide, run_of):
    runs, values = [], []
    for i in range(8):
        draws = [replace(d, key=Key("s", j)) for j, d in enumerate(siblings(decide, [f"a{i}{i}{i}", "bbbb"]))]
        said = replace(draws[0].completion, output_ids=(50 + i,), mask=(1,))
        runs.append(run_of(replace(draws[0], completion=said), draws[1], run=f"t{i}", prompt=f"task {i // 4}"))
        values.append(table(0.6 + i / 20, 0.0))
    assert [p.run for p in preference_pairs(runs, values, Choosing(keep=0.5))] == ["t4", "t5", "t6", "t7"]
    assert [p.run for p in preference_pairs(runs, values, Choosing(per_task=1))] == ["t3", "t7"]
    assert [p.run for p in preference_pairs(runs, values, Choosing(keep=0.01))] == ["t7"], "never less than one"


def test_forced_tokens_and_foreign_prompts(decide, run_of):
    up = decide("s", (1, 2), (5, 6, 7), draw=0, text="one thing", mask=(1, 0, 1))
    down = decide("s", (1, 2), (8,), draw=1, text="another")
    (pair,) = preference_pairs([run_of(up, down)], [table(1.0, 0.0)])
    assert (pair.chosen_mask, pair.rejected_mask) == ((1, 0, 1), (1,))
    with pytest.raises(BadData, match="share a prompt"):
        preference_pairs([run_of(up, decide("s", (9,), (8,), draw=1, text="another"))], [table(1.0, 0.0)])


@pytest.mark.parametrize("wrong", [{"gap": -0.1}, {"per_state": 0}, {"keep": 0.0}, {"per_task": 0}])
def test_a_choice_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput, match="expected"):
        Choosing(**wrong)
