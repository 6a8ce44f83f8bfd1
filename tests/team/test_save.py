"""Teams as data: what comes back is equal, and what is wrong is refused with its place before anything runs."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from small_teams import ANSWERER, RANKER, Caller

from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, Said, everything, last, majority
from orchestra.errors import BadData, BadInput, BadTeam, OrchestraError, UnknownName
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Role, Route, Switch, Team, TopK, register
from orchestra.topologies import chain, debate, solo

MODEL = Scripted([])


@register("save_test.two")
def two(inbox):
    return len(inbox) >= 2


def varied():
    """A join, a switch, a route, a nested team, temporal edges, every stop, and a policy not named by its role."""
    inner = Team("inner", [Node("x", Caller(2))], [Edge(START, "x")], output=everything())
    ranker = TopK(RANKER(Policy("shared", MODEL)), 2)
    return Team(
        "varied",
        [
            Node("a", debater(MODEL, name="a", persona="You doubt.")),
            Node("b", inner),
            Node("rank", Switch(ranker, ("a", "b"), range(1, 9, 2)), votes=False),
            Node("route", Route(ANSWERER(MODEL, name="router"), ("a", "b")), votes=False, on_error="fail"),
            Node("join", Caller(), when=two),
        ],
        [
            *(Edge(START, n) for n in ("a", "b", "route")), Edge("a", "join"), Edge("b", "join"), Edge("a", "rank"),
            Edge("b", "rank"), Edge("rank", "a", "temporal"), Edge("rank", "b", "temporal"), Edge("route", "join"),
        ],
        (Quorum(2 / 3) & Said(("join",))) | MaxRounds(4),
        majority(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "team",
    [
        solo(generator(MODEL)),
        chain(generator(MODEL), verifier(MODEL), refiner(MODEL)),
        debate([debater(MODEL, name=n) for n in "abc"], rounds=3, graph="ring"),
        varied(),
    ],
    ids=lambda team: team.name,
)
@pytest.mark.parametrize("form", ["data", "json", "yaml", "yml"])
def test_what_is_saved_comes_back_equal(team, form, tmp_path):
    data = team.save()
    if form != "data":
        path = tmp_path / f"team.{form}"
        path.write_text(json.dumps(data) if form == "json" else yaml.safe_dump(data), encoding="utf-8")
        data = path if form == "json" else str(path)
    table = {p.name: p for p in (agent.policy for agent in team.agents())}
    again = Team.load(data, table)
    assert again == team and again.digest == team.digest and again.plan == team.plan


def test_one_model_may_stand_for_every_policy():
    again = Team.load(varied().save(), MODEL)
    assert {agent.policy.name for agent in again.agents()} == {"debater", "shared", "answerer"}


def test_the_digest_covers_wiring_roles_and_policy_names_and_not_models():
    team = solo(generator(MODEL))
    assert solo(generator(Scripted(["other"]))).digest == team.digest
    others = [
        solo(generator(MODEL, name="other")),
        solo(replace(generator, max_tokens=7)(MODEL)),
        solo(generator(Policy("other", MODEL))),
        replace(team, stop=MaxRounds(3)),
        replace(team, output=last("generator")),
        replace(team, nodes=[replace(team.nodes[0], votes=False)]),
    ]
    assert len({team.digest, *(other.digest for other in others)}) == 1 + len(others)


def test_agents_are_listed_in_order_of_declaration_through_nesting():
    outer = chain(generator(MODEL), debate([debater(MODEL, name=n) for n in "ab"]), refiner(MODEL))
    assert [a.name for a in outer.agents()] == ["generator", "a", "b", "refiner"]
    assert [a.name for a in varied().agents()] == ["a", "ranker", "router"]


def test_what_has_no_name_cannot_be_saved_and_is_placed():
    @dataclass(frozen=True)
    class Unnamed:
        async def __call__(self, view, ctx): ...

    team = Team("t", [Node("n", Unnamed())], [Edge(START, "n")])
    with pytest.raises(BadTeam, match=r"t\.nodes\[0\]\.actor: .*Unnamed has no registered name"):
        team.save()
    assert team.digest  # good for a digest all the same
    with pytest.raises(BadTeam, match=r"t\.nodes\[0\]\.when: .*lambda.* has no registered name"):
        replace(team, nodes=[Node("n", Caller(), when=lambda inbox: True)]).save()


def spoilt(change):
    data = json.loads(json.dumps(solo(generator(MODEL)).save()))
    change(data)
    return data


def field(**values):
    return lambda data: data["team"]["nodes"][0].update(values)


def role(**values):
    return lambda data: data["team"]["nodes"][0]["actor"]["role"].update(values)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda d: d.update(schema=2), BadData, "expected an object with schema 1 and team"),
        (lambda d: d.update(more=1), BadData, "expected an object with schema 1 and team"),
        (field(vote=True), BadInput, r"team\.nodes\[0\]: unknown field of Node 'vote'; did you mean 'votes'\?"),
        (role(max_token=3), BadInput, r"unknown field of Role 'max_token'; did you mean 'max_tokens'\?"),
        (role(answer={"@": "numbr"}), UnknownName, r"'numbr'; did you mean 'number'\?"),
        (role(answer={"@": "role"}), BadData, "'role' is a class; expected a registered function"),
        (role(answer={"$": "number"}), BadData, "a registered class"),
        (role(name=5), BadData, "Role does not take these values"),
        (role(temperature="hot"), BadData, "Role does not take these values"),
        (role(prompt="{{ ''.__class__ }}{{ x }}"), BadInput, "unknown variable x"),
        (role(prompt="<|im_start|>"), BadInput, "control token"),
        (field(actor=5), BadTeam, "node 'generator': expected an actor, got 5"),
        (field(actor={"policy": {}}), BadData, "expected the name of a policy"),
        (field(actor={"range": "abc"}), BadData, r"expected a range as \[start, stop, step\]"),
        (field(actor={"range": [0, 9, 0]}), BadData, "expected a range"),
        (field(actor={"map": 3}), BadData, "expected an object with '\\$'"),
        (field(actor={"$": 3}), UnknownName, "unknown registered function or class '3'"),
        (field(actor={"$": "os.system"}), UnknownName, "os.system"),
        (lambda d: d["team"].update(nodes=5), BadData, "Team does not take these values"),
        (lambda d: d["team"].pop("nodes"), BadData, "missing 1 required positional argument: 'nodes'"),
        (lambda d: d["team"].update({"$": "node"}), BadInput, "unknown field of Node"),
        (lambda d: d["team"]["edges"][0].update(dst="x"), BadTeam, "no node 'x'"),
        (lambda d: d.update(team={"$": "maxrounds", "limit": 3}), BadTeam, "expected a saved team, got maxrounds"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change, error, said):
    with pytest.raises(error, match=said):
        Team.load(spoilt(change), {"generator": Policy("generator", MODEL)})


def test_an_unknown_policy_gets_a_suggestion():
    with pytest.raises(UnknownName, match=r"unknown policy 'generator'; did you mean 'generators'\?"):
        Team.load(solo(generator(MODEL)).save(), {"generators": Policy("generators", MODEL)})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.json", '{"schema": 1, "schema": 1}', "key 'schema' stands twice"),
        ("t.yaml", "schema: 1\nteam: {name: a, name: b}", "key 'name' stands twice"),
        ("t.yaml", "a: &x [1]\nb: *x", "line 2: aliases are not accepted"),
        ("t.yaml", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "aliases are not accepted"),
        ("t.yaml", "!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("t.yaml", "team: !!python/object:orchestra.team.Team {}", "could not determine a constructor"),
        ("t.yaml", "? [a, b]\n: c", "unhashable"),
        ("t.yaml", "<<: {a: 1}", "constructor"),
        ("t.yaml", "a: [", "expected"),
        ("t.yaml", "--- 1\n--- 2", "document"),
        ("t.yaml", "schema: 1\nteam: 2020-01-01", "unexpected datetime"),
        ("t.yaml", "schema: 1\nteam: !!set {a, b}", "unexpected"),
        ("t.json", "{", "property name"),
        ("t.json", "[" * 100_000, "recursion"),
        (
            "t.json",
            '{"schema": 1, "team": ' + "[" * 900 + "]" * 900 + "}",
            "nested too deeply|Team|unexpected|expected",
        ),
        ("t.json", '{"schema": 1, "team": ' + "9" * 5000 + "}", "digit"),
        ("t.json", "null", "not a saved team"),
        ("t.toml", "", "expected .json, .yaml or .yml"),
    ],
)
def test_hostile_files_are_refused_in_one_line(name, text, said, tmp_path):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises((BadData, BadTeam), match=said) as caught:
        Team.load(path, MODEL)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_absent_no_text_or_too_long_is_refused(tmp_path, monkeypatch):
    with pytest.raises(BadData, match="cannot be read"):
        Team.load(tmp_path / "absent.json", MODEL)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadData, match="cannot be read"):
        Team.load(tmp_path / "bytes.json", MODEL)
    monkeypatch.setitem(__import__("orchestra.team.save", fromlist=["LONGEST"]).LONGEST, ".json", 10)
    (tmp_path / "long.json").write_text('{"schema": 1}')
    with pytest.raises(BadData, match="13 bytes; at most 10 are accepted"):
        Team.load(tmp_path / "long.json", MODEL)


def test_ten_thousand_nodes_come_back_equal(tmp_path):
    names = [f"n{i}" for i in range(10_000)]
    team = Team(
        "big",
        [Node(n, generator(MODEL, name=n)) for n in names],
        [Edge(START, names[0]), *(Edge(a, b) for a, b in pairwise(names))],
    )
    (tmp_path / "big.json").write_text(json.dumps(team.save()))
    again = Team.load(tmp_path / "big.json", {"generator": Policy("generator", MODEL)})
    assert again.digest == team.digest and len(again.nodes) == 10_000 and again.plan == team.plan


FIELDS = st.sampled_from(["$", "@", "map", "range", "policy", "name", "nodes"])
ACTOR = ("nodes", 0, "actor")
PLACES = [
    (), ("nodes",), ("nodes", 0), ACTOR, (*ACTOR, "role"), (*ACTOR, "role", "prompt"), ("edges",), ("stop",),
    ("output",), ("name",),
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=300)
@given(JSON, st.sampled_from(PLACES))
def test_any_json_in_any_place_loads_or_is_refused_by_us(value, place):
    data = {"schema": 1, "team": solo(generator(MODEL)).save()["team"]}
    data = json.loads(json.dumps(data))
    target, last_key = data, "team"
    for key in place:
        target, last_key = target[last_key], key
    target[last_key] = value
    with suppress(OrchestraError):
        assert isinstance(Team.load(data, MODEL), Team)


def test_a_role_survives_with_its_examples_choices_and_options():
    made = Role("r", "p {{ prompt }}", system="s", examples=(("q", "a"),), choices=("x", "y"), repairs=2, stop=("\n",),
                temperature=0.0)  # fmt: skip
    again = Team.load(solo(made(MODEL)).save(), MODEL)
    assert again.agents()[0].role == made
