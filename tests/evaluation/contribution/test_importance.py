"""Importance by hand on layers, and conservation: each credited layer adds up to 1."""

import asyncio
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_teams import dylan

from orchestra.credit import Scored, peer_importance
from orchestra.credit.importance import by_message, weights
from orchestra.engine import Never
from orchestra.errors import BadInput
from orchestra.evaluation.contribution import importance, of_importance
from orchestra.models.scripted import Scripted
from orchestra.roles import peer, ranker
from orchestra.topologies import dylan as shelf_dylan
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Leaf, Trajectory
from orchestra.types import Message, Task, Usage


@dataclass(frozen=True)
class Rated:
    ratings: dict


def layered(layers, answer):
    """A run from layers of `(sender, answer, ratings or None)`: each reads all of the layer before, itself too."""
    messages, before = [], ()
    for round, layer in enumerate(layers):
        said = [
            Message(
                f"t/{n}@{round}", n, round, f"{a}!", answer=a, parsed=Rated(r) if r is not None else None, saw=before
            )
            for n, a, r in layer
        ]
        messages += said
        before = tuple(message.id for message in said)
    return Trajectory("x", Task("q", "?"), 0, "d", (), tuple(messages), (Leaf((), answer, "done", Usage()),))


def test_two_layers_by_hand():
    """Last layer: a and b gave the answer, 1/2 each. a rates (5, 5, 0): 1/2 1/2 0; b rates (1, 0, 4): 1/5 0 4/5."""
    run = layered(
        [
            [("a", "x", None), ("b", "y", None), ("c", "x", None)],
            [
                ("a", "x", {"a": 5, "b": 5, "c": 0}),
                ("b", "x", {"a": 1, "b": 0, "c": 4}),
                ("c", "y", {"a": 1, "b": 1, "c": 1}),
            ],
        ],
        "x",
    )
    first = {"a": 0.5 * 0.5 + 0.5 * 0.2, "b": 0.5 * 0.5, "c": 0.5 * 0.8}
    found = importance(run)
    assert {m.sender: by_message(run)[m.id] for m in run.messages[:3]} == pytest.approx(first)
    assert found.agents == pytest.approx({"a": first["a"] + 0.5, "b": first["b"] + 0.5, "c": first["c"]})
    assert found.worth == pytest.approx(2.0)


def test_no_ratings_are_uniform():
    run = layered([[(n, "x", None) for n in "abcd"], [("a", "x", None), ("b", "z", None)]], "x")
    assert list(by_message(run).values()) == pytest.approx([0.25] * 4 + [1.0, 0.0])


def test_an_ensemble_shares_among_those_that_are_the_answer():
    run = layered([[("a", "x", None), ("b", "y", None), ("c", "x", None)]], "x")
    assert importance(run).agents == pytest.approx({"a": 0.5, "b": 0.0, "c": 0.5})


def test_a_failed_run_credits_nobody():
    run = layered([[("a", "x", None)], [("a", "y", None)]], None)
    assert importance(run).agents == {"a": 0.0}


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ({"a": 5, "b": 5}, [0.5, 0.5]),
        ({"a": 9, "b": 5}, [0.5, 0.5]),  # clipped at 1
        ({"a": -3, "b": 2}, [0.0, 1.0]),  # and at 0
        ({"a": 4}, [0.5, 0.5]),  # not rated: as the mean of those rated
        ({"a": 0, "b": 0}, [0.5, 0.5]),
        ({"a": float("nan"), "b": 3}, [0.5, 0.5]),
        ({"a": "five", "b": 3}, [0.5, 0.5]),
        ({"z": 1}, [0.5, 0.5]),
        ({}, [0.5, 0.5]),
    ],
)
def test_ratings(ratings, expected):
    read = [Message(f"t/{n}@0", n, 0, "x") for n in "ab"]
    assert weights(Message("t/c@1", "c", 1, "x", parsed=Rated(ratings)), read) == pytest.approx(expected)


@given(st.integers(0, 10_000))
def test_each_layer_adds_up_to_one(seed):
    rng = Random(seed)
    names = "abcd"[: rng.randint(1, 4)]
    layers = [
        [(n, rng.choice("xy"), {m: rng.randint(0, 5) for m in names if rng.random() < 0.8}) for n in names]
        for _ in range(rng.randint(1, 4))
    ]
    run = layered(layers, layers[-1][0][1])
    found = by_message(run)
    for round in range(len(layers)):
        assert sum(found[m.id] for m in run.messages if m.round == round) == pytest.approx(1.0)


def test_dylan_run():
    """Four agents, three layers, two kept: those that were held back are credited in their layers alone."""
    answers = {"a": ["1", "2", "3"], "b": ["2", "3", "3"], "c": ["3", "1", "3"], "d": ["4", "4", "4"]}
    team, _ = dylan(answers, rank=lambda shown: " ".join(str(shown.index(n)) for n in ("a", "b")))
    run = team.run_sync("q")
    assert run.answer == "3" and run.usage.calls == 11
    # Layer 3: a and b, 1/2 each. They read a and b of layer 2, which read all four of layer 1. No ratings: uniform.
    assert importance(run).agents == pytest.approx({"a": 1.25, "b": 1.25, "c": 0.25, "d": 0.25})
    table = of_importance(run)
    assert len(table.rows) == 11
    ranker = next(made.key for made in run.decisions if made.role == "ranker")
    assert table.rows[ranker].value is None
    assert sum(row.value for row in table.rows.values() if row.value is not None) == pytest.approx(3.0)


def test_the_shelf_rates_also_when_read_back(tmp_path):
    """Four peers of the shelf; all rate b 5 and the others 1. In the store ratings are plain data."""

    def say(request):
        name, *lines = request.messages[-1][1].splitlines()
        heard = [line.split(". ", 1)[1] for line in lines if line[:1].isdigit()]
        marks = " ".join("5" if "b." in said else "1" for said in heard)
        answer = {"a": 1, "b": 2, "c": 2, "d": 3}[name] if len(heard) != 2 else 2
        return f"{answer} {name}." + (f"\nRatings: {marks}" if heard else "")

    model = Scripted(say)
    peers = [peer(model, name=name, persona=name) for name in "abcd"]
    team = shelf_dylan(peers, ranker=ranker(Scripted(lambda request: "1 2")), stop=Never())
    run = team.run_sync("q")
    rated = next(m for m in run.messages if m.round == 1 and m.content)
    assert dict(rated.parsed.ratings) == {"a": 1.0, "b": 5.0, "c": 1.0, "d": 1.0}
    found = importance(run)
    first = [by_message(run)[m.id] for m in run.messages if m.round == 0 and m.content]
    assert first == pytest.approx([1 / 8, 5 / 8, 1 / 8, 1 / 8])
    assert sum(found.agents.values()) == pytest.approx(3.0)
    with open_run(tmp_path / "run", create=True, spec={}) as folder:
        folder.add(run)
        asyncio.run(folder.flushed())
        assert importance(folder.get(run.id)) == found


def test_stopped_in_the_midst_of_a_round():
    """Three of four agree in the first round: the fourth never speaks, and each has a third."""
    team, _ = dylan({n: ["1", "1", "1"] for n in "abcd"}, rank=lambda shown: "0 1")
    assert importance(team.run_sync("q")).agents == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})


def test_a_chain_credits_what_the_last_word_read():
    run = layered([[("g", "x", None)]], "x")
    said = run.messages[0]
    reader = replace(said, id="t/r@0~1", sender="r", saw=(said.id,))
    run = replace(run, messages=(said, reader))
    assert importance(run).agents == {"g": 1.0, "r": 1.0}


def test_as_credit_it_shares_out_what_the_team_earned():
    team, _ = dylan({n: ["1", "1", "1"] for n in "abcd"}, rank=lambda shown: "0 1")
    run = team.run_sync("q")
    (table,) = peer_importance()([Scored(run, ({"task": 0.6},))])
    assert [row.value for row in table.rows.values()] == pytest.approx([0.2] * 3)
    (unscored,) = peer_importance()([Scored(run, ({"task": None},))])
    assert {row.value for row in unscored.rows.values()} == {None}


def test_as_credit_each_layer_gets_the_reward_and_the_ranker_nothing():
    answers = {"a": ["1", "2", "3"], "b": ["2", "3", "3"], "c": ["3", "1", "3"], "d": ["4", "4", "4"]}
    team, _ = dylan(answers, rank=lambda shown: " ".join(str(shown.index(n)) for n in ("a", "b")))
    run = team.run_sync("q")
    (table,) = peer_importance()([Scored(run, ({"task": 0.5},))])
    shares = of_importance(run).rows
    assert {key: row.value for key, row in table.rows.items()} == {
        key: None if row.value is None else pytest.approx(0.5 * row.value) for key, row in shares.items()
    }
    assert sum(row.value for row in table.rows.values() if row.value is not None) == pytest.approx(1.5)


def test_as_credit_a_tree_is_refused():
    tree = layered([[("a", "x", None)]], "x")
    tree = replace(tree, leaves=tree.leaves * 2)
    with pytest.raises(BadInput, match="2 leaves; expected a run without branches"):
        peer_importance()([Scored(tree, ({"task": 1.0}, {"task": 0.0}))])
