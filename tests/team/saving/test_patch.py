"""Patches: every kind of change by hand, and whatever cannot be done in one line with its place and a suggestion."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_teams import teams
from small_teams import ANSWERER, RANKER, Caller

from orchestra.engine import START, Actor, Edge, MaxRounds, Node, Quorum, Said, Spoken, last
from orchestra.errors import BadData, BadInput, OrchestraError, UnknownName
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, delegator, generator, informant, refiner, verifier
from orchestra.team import Route, Switch, Team, TopK, register
from orchestra.team.saving.changes import policies_of, read, write
from orchestra.team.saving.patch import patch
from orchestra.topologies import chain, debate, delegate
from orchestra.types import FrozenMap

MODEL = Scripted([])


def three():
    return chain(generator(MODEL), verifier(MODEL), refiner(MODEL))


def test_a_field_deep_inside():
    team = three()
    made = patch(team, {"nodes.verifier.actor.role.temperature": 0, "nodes.generator.votes": False})
    assert made.nodes[1].actor.role == replace(verifier, temperature=0) and made.nodes[1].votes
    assert not made.nodes[0].votes and (made.edges, made.stop, made.output) == (team.edges, team.stop, team.output)
    assert team == three() and made != team


def test_values_may_be_what_they_stand_for():
    agent = refiner(Scripted([], name="other"), name="last")
    made = patch(three(), {"nodes.refiner.actor": agent, "stop": Quorum(0.5) | MaxRounds(2), "output": last()})
    change = {"do": "set", "at": "stop", "to": MaxRounds(3), "was": made.stop}
    assert patch(made, [change]).stop == MaxRounds(3)
    assert made.nodes[2].actor == agent and made.stop == Quorum(0.5) | MaxRounds(2) and made.output == last()


def test_a_node_is_added_with_its_edges_and_removed_with_them():
    team = debate([debater(MODEL, name=n) for n in "ab"])
    three_of_them = debate([debater(MODEL, name=n) for n in "abc"])
    new = three_of_them.nodes[2]
    added = [e for e in three_of_them.edges if e not in team.edges]
    changes = [{"do": "add", "at": "nodes", "to": new}]
    changes += [{"do": "add", "at": "edges", "to": e, "place": three_of_them.edges.index(e)} for e in added]
    grown = patch(team, changes)
    assert grown == three_of_them and grown.plan == three_of_them.plan
    labels = [f"edges[{e.src} {'=>' if e.kind == 'spatial' else '~>'} {e.dst}]" for e in added]
    assert patch(grown, [{"do": "remove", "at": at} for at in (*labels, "nodes.c")]) == team


def test_order_is_of_the_inbox():
    a, b = Edge("generator", "refiner"), Edge("verifier", "refiner")
    labels = ["verifier => refiner", "generator => refiner", "start => generator", "generator => verifier"]
    made = patch(three(), [{"do": "order", "at": "edges", "to": labels}])
    assert [made.edges.index(b), made.edges.index(a)] == [0, 1]


def test_of_equal_edges_the_second_has_a_number():
    team = Team("t", [Node("n", Caller())], [Edge(START, "n"), Edge(START, "n")])
    assert patch(team, [{"do": "remove", "at": "edges[start => n #2]"}]).edges == (Edge(START, "n"),)


def test_a_rename_follows_every_reference_in_its_team_and_no_other():
    agents = [debater(MODEL, name=n) for n in ("a", "b")]
    inner = Team("inner", [Node("a", Caller())], [Edge(START, "a")], output=last("a"))
    team = Team(
        "t",
        [
            Node("a", agents[0]),
            Node("b", inner),
            Node("rank", Switch(TopK(RANKER(MODEL), 1), ("a", "b"), range(2)), votes=False),
            Node("route", Route(ANSWERER(MODEL, name="r"), ("a", "b"))),
        ],
        [*(Edge(START, n) for n in ("a", "b", "route")), Edge("a", "rank"), Edge("rank", "a", "temporal"),
         Edge("route", "a", "temporal"), Edge("route", "b", "temporal"), Edge("b", "rank")],
        (Said(("a", "b")) & Spoken(("a",))) | MaxRounds(3),
        last("b", "a"),
    )  # fmt: skip
    made = patch(team, [{"do": "rename", "at": "nodes.a", "to": "the first"}])
    assert [n.name for n in made.nodes] == ["the first", "b", "rank", "route"]
    assert {e.src for e in made.edges} | {e.dst for e in made.edges} == {START, "the first", "b", "rank", "route"}
    assert made.stop == (Said(("the first", "b")) & Spoken(("the first",))) | MaxRounds(3)
    assert made.output == last("b", "the first")
    assert made.nodes[2].actor.to == made.nodes[3].actor.branches == ("the first", "b")
    assert made.nodes[0].actor.name == "a" and made.nodes[1].actor == inner
    deep = patch(made, [{"do": "rename", "at": "nodes.b.actor.nodes.a", "to": "z"}])
    assert deep.nodes[1].actor.output == last("z") and deep.nodes[0].name == "the first"
    assert patch(made, [{"do": "rename", "at": "nodes[the first]", "to": "a"}]) == team


@register("patch_test.around")
@dataclass(frozen=True)
class Around:
    """An actor around another."""

    actor: Actor

    async def __call__(self, view, ctx): ...


def test_a_rename_reaches_a_switch_within_another_actor():
    switch = Switch(TopK(RANKER(MODEL), 1), ("n",), range(2))
    team = Team("t", [Node("n", Around(switch)), Node("m", Around(Around(switch)))], [Edge(START, "n"), Edge("n", "m")])
    made = patch(team, [{"do": "rename", "at": "nodes.n", "to": "o"}])
    assert made.nodes[0].actor.actor.to == made.nodes[1].actor.actor.actor.to == ("o",)


def test_what_is_on_the_way_need_not_hold_together():
    changes = [
        {"do": "remove", "at": "nodes.verifier"},
        {"do": "remove", "at": "edges[generator => verifier]"},
        {"do": "remove", "at": "edges[verifier => refiner]"},
    ]
    assert len(patch(three(), changes).nodes) == 2
    with pytest.raises(BadInput, match="edge 'generator' -> 'verifier': no node 'verifier'"):
        patch(three(), changes[:1])


def test_a_model_of_its_own_and_a_nameless_function_stay_what_they_are():
    models = [Scripted([]), Scripted([])]
    team = chain(generator(models[0], name="a"), generator(models[1], name="b"))
    team = replace(team, nodes=[team.nodes[0], replace(team.nodes[1], when=lambda inbox: True)])
    made = patch(team, {"name": "u"})
    assert [node.actor.policy.model for node in made.nodes] == models and made.nodes[1].when is team.nodes[1].when


def test_policies_are_looked_up_by_name():
    changes = {"nodes.verifier.actor.policy": {"policy": "refiner"}, "nodes.refiner.actor.policy": {"policy": "big"}}
    with pytest.raises(UnknownName, match="unknown policy 'big'"):
        patch(three(), changes)
    made = patch(three(), changes, {"big": Policy("big", MODEL, "adapters/big", 3)})
    assert [agent.policy.label for agent in made.agents()] == ["generator@0", "refiner@0", "big@3"]
    assert policies_of(changes) == {"refiner", "big"}


def test_a_map_is_reached_by_its_keys():
    @register("patch_test.keyed")
    @dataclass(frozen=True)
    class Keyed:
        lines: FrozenMap[str, int]

        async def __call__(self, view, ctx): ...

    team = Team("t", [Node("n", Keyed(FrozenMap({"a b": 1, "c": 2})))], [Edge(START, "n")])
    made = patch(team, {"nodes.n.actor.lines[a b]": 5})
    assert made.nodes[0].actor.lines == {"a b": 5, "c": 2}
    with pytest.raises(BadInput, match=r"nodes.n.actor.lines.c: expected a whole number, got 'x'"):
        patch(team, {"nodes.n.actor.lines.c": "x"})


@pytest.mark.parametrize("ending", ["json", "yaml", "yml"])
def test_patches_are_files(ending, tmp_path):
    prompt = "One\n  two: {{ prompt }}\n"
    changes = [{"do": "set", "at": "nodes.generator.actor.role.prompt", "to": prompt, "was": "{{ prompt }}"}]
    path = tmp_path / f"p.{ending}"
    write(path, changes)
    assert read(path) == changes and patch(three(), path).agents()[0].role.prompt == prompt
    path.write_text('{"schema": 1, "changes": {"name": "other"}}')
    assert patch(three(), path).name == "other"
    for text in ("[]", '{"schema": 2, "changes": []}', '{"schema": 1}'):
        path.write_text(text)
        with pytest.raises(BadData, match="is no patch: expected an object with schema 1 and changes"):
            read(path)


def set_to(at, to):
    return [{"do": "set", "at": at, "to": to}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nodes.verifer.votes": True}, "unknown name in nodes 'verifer'; did you mean 'verifier'?"),
        ({"nodes.verifier.vote": True}, "unknown name in nodes.verifier 'vote'; did you mean 'votes'?"),
        ({"nodes.verifier.actor.role.temprature": 0}, "did you mean 'temperature'?"),
        ({"node.verifier": 0}, "unknown field of the team 'node'; did you mean 'nodes'?"),
        ({"edges[generator -> verifier].kind": "temporal"}, "did you mean 'generator => verifier'?"),
        ({"nodes.verifier.actor.policy.name": "x"}, "unknown name in nodes.verifier.actor.policy 'name'"),
        ({"nodes.verifier.actor.role.prompt.x": 0}, "unknown name in nodes.verifier.actor.role.prompt 'x'"),
        ({"nodes.verifier.actor.role.temperature": "hot"},
         "nodes.verifier.actor.role.temperature: expected a number, got 'hot'"),
        ({"nodes.verifier.on_error": "abstian"},
         "nodes.verifier.on_error: unknown value 'abstian'; did you mean 'abstain'?"),
        ({"nodes.verifier.actor.role.prompt": "{{ promt }}"}, "unknown variable promt"),
        ({"stop": {"$": "maxround", "limit": 2}}, "did you mean 'maxrounds'?; --import FILE.py helps"),
        ({"stop": {"$": "maxrounds", "limit": 0}}, "expected a whole number of rounds"),
        ({"stop": {"$": "majority"}}, "stop: expected Stop, got Majority"),
        ({"": 1}, "place '': expected words and brackets"),
        ({"nodes..x": 1}, "expected words and brackets"),
        ({"nodes[x": 1}, "expected words and brackets"),
        ([{"do": "sett", "at": "name", "to": 1}], "change 1: unknown do 'sett'; did you mean 'set'?"),
        ([{"do": "set", "at": "name", "too": 1}], "change 1: unknown key of set 'too'; did you mean 'to'?"),
        ([{"do": "set", "at": "name"}], "change 1: set 'name' needs 'to'"),
        ([{"at": "name", "to": 1}], "unknown do 'None'"),
        (["name"], "change 1: expected an object with do, at and to, got 'name'"),
        ("name", "expected a list of changes"),
        ([{"do": "set", "at": "name", "to": "x", "was": "chian"}],
         "expected to find 'chian', got 'chain'; the patch is of another team"),
        ([{"do": "remove", "at": "stop"}], "expected a list such as nodes or edges there"),
        ([{"do": "remove", "at": "nodes.x"}], "unknown name in nodes 'x'"),
        ([{"do": "add", "at": "name", "to": 1}], "expected a list"),
        ([{"do": "add", "at": "nodes", "to": {"$": "node"}}], "nodes.None: Node needs 'name', 'actor'"),
        ([{"do": "add", "at": "edges", "to": {"$": "edge", "src": "a", "dst": "b"}, "place": 99}],
         "expected a place from 0 to 4, got 99"),
        ([{"do": "rename", "at": "stop", "to": "x"}], "expected the place of a node, such as nodes.alice"),
        ([{"do": "rename", "at": "edges[start => generator]", "to": "x"}], "expected the place of a node"),
        ([{"do": "rename", "at": "nodes.verifier", "to": 5}], "expected a name, got 5"),
        ([{"do": "rename", "at": "nodes.verifier", "to": "refiner"}], "two nodes are called 'refiner'"),
        ([{"do": "order", "at": "nodes", "to": ["refiner"]}], "expected generator, verifier, refiner in another order"),
        ([{"do": "order", "at": "nodes", "to": 5}], "in another order, got 5"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_named_in_one_line(changes, said):
    with pytest.raises(BadInput) as caught:
        patch(three(), changes)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_team_of_a_class_without_a_name_is_refused():
    class Mine(Team):
        pass

    team = Mine("t", [Node("n", Caller())], [Edge(START, "n")])
    with pytest.raises(BadInput, match="Mine has no registered name"):
        patch(team, {"name": "u"})


WORDS = ["nodes", "edges", "stop", "generator", "actor", "role", "prompt", "start => generator", "name", "0", "x"]
PLACES = st.lists(st.sampled_from(WORDS), max_size=5).map(lambda words: "".join(f"[{word}]" for word in words))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$", "@", "map", "policy", "name", "nodes", "edges"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CHANGE = st.fixed_dictionaries(
    {"do": st.sampled_from(["set", "add", "remove", "rename", "order"]), "at": PLACES | st.text(max_size=9)},
    optional={"to": JSON, "was": JSON, "place": st.integers(-1, 5) | st.none()},
)


@settings(max_examples=400)
@given(st.lists(CHANGE, max_size=3) | JSON)
def test_any_json_patches_or_is_refused_by_us(changes):
    team = three()
    with suppress(OrchestraError):
        assert isinstance(patch(team, changes), Team)
    assert team == three()


@settings(max_examples=60)
@given(teams(), st.data())
def test_one_leaf_set_is_one_field_changed(team, data):
    """A slower derivation of `set`: the same change made in the saved JSON, then loaded."""
    node = data.draw(st.sampled_from(team.nodes))
    saved = json.loads(json.dumps(team.save()))
    (form,) = [n for n in saved["team"]["nodes"] if n["name"] == node.name]
    form["votes"] = False
    assert patch(team, {f"nodes[{node.name}].votes": False}) == Team.load(saved, _table(team))


def _table(team):
    return {agent.policy.name: agent.policy for agent in team.agents()}


def test_a_rename_reaches_whom_an_asker_may_ask():
    team = delegate(delegator(MODEL, name="chief"), [informant(MODEL, name="ada"), informant(MODEL, name="bob")])
    renamed = patch(team, [{"do": "rename", "at": "nodes.ada", "to": "eve"}])
    assert [node.name for node in renamed.nodes] == ["chief", "eve", "bob"]
    assert renamed.nodes[0].actor.experts == ("eve", "bob")
