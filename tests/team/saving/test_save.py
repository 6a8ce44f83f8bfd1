"""Teams as data: what comes back is equal, and what is wrong is refused with its place before anything runs."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_teams import POLICIES, teams
from small_teams import ANSWERER, RANKER, Caller

from orchestra import topologies
from orchestra.contracts.topology import assembled
from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, Said, everything, last, majority
from orchestra.errors import BadData, BadInput, BadTeam, OrchestraError, UnknownName
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Role, Route, Switch, Team, TopK, register
from orchestra.team.saving.diff import diff
from orchestra.team.saving.files import to_yaml
from orchestra.team.saving.save import write
from orchestra.topologies import chain, debate, solo
from orchestra.types import EMPTY, FrozenMap

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
            Node("route", Route(ANSWERER(MODEL, name="router"), ("join", "rank")), votes=False, on_error="fail"),
            Node("join", Caller(), when=two),
        ],
        [
            *(Edge(START, n) for n in ("a", "b", "route")), Edge("a", "join"), Edge("b", "join"), Edge("a", "rank"),
            Edge("b", "rank"), Edge("rank", "a", "temporal"), Edge("rank", "b", "temporal"), Edge("route", "join"),
            Edge("route", "rank"),
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
    with pytest.raises(BadTeam, match=r"nodes\.n\.actor: .*Unnamed has no registered name"):
        team.save()
    assert team.digest  # good for a digest all the same
    with pytest.raises(BadTeam, match=r"nodes\.n\.when: .*lambda.* has no registered name"):
        replace(team, nodes=[Node("n", Caller(), when=lambda inbox: True)]).save()


def spoilt(change):
    data = json.loads(json.dumps(solo(generator(MODEL)).save()))
    change(data)
    return data


def field(**values):
    return lambda data: data["team"]["nodes"][0].update(values)


def edge(**values):
    return lambda data: data["team"]["edges"][0].update(values)


def role(**values):
    return lambda data: data["team"]["nodes"][0]["actor"]["role"].update(values)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda d: d.update(schema=2), BadData, "expected an object with schema 1 and team"),
        (lambda d: d.update(more=1), BadData, "expected an object with schema 1 and team"),
        (field(vote=True), BadInput, r"^nodes\.generator: unknown field of Node 'vote'; did you mean 'votes'\?"),
        (role(max_token=3), BadInput, r"actor\.role: unknown field of Role 'max_token'; did you mean 'max_tokens'\?"),
        (role(answer={"@": "numbr"}), BadInput, r"^nodes\.generator\.actor\.role\.answer: .*did you mean 'number'\?"),
        (role(answer={"@": "numbr"}), BadInput, "--import FILE.py helps if a file of yours registers it"),
        (role(answer={"@": "role"}), BadData, "'role' is a class; expected a registered function"),
        (role(answer={"$": "number"}), BadData, "'number' is a function; expected '\\$' and a registered class"),
        (role(answer={"a": 1}), BadData, "expected an object with '\\$' and a registered class"),
        (role(name=5), BadData, r"^nodes\.generator\.actor\.role\.name: expected a text, got 5"),
        (role(name="a b"), BadInput, "a role's name must be a word"),
        (role(temperature="hot"), BadData, r"role\.temperature: expected a number, got 'hot'"),
        (role(temperature=True), BadData, r"role\.temperature: expected a number, got True"),
        (role(max_tokens=2.5), BadData, r"role\.max_tokens: expected a whole number, got 2\.5"),
        (role(answer="number"), BadData, r"role\.answer: expected a function, got 'number'"),
        (role(stop="END"), BadData, r"role\.stop: expected a list, got 'END'"),
        (role(stop=["END", 5]), BadData, r"role\.stop\[1\]: expected a text, got 5"),
        (role(examples=[["q", "a", "?"]]), BadData, r"role\.examples\[0\]: expected a list of 2, got"),
        (role(prompt="{{ ''.__class__ }}{{ x }}"), BadInput, "unknown variable x"),
        (role(prompt="<|im_start|>"), BadInput, "control token"),
        (field(actor=5), BadData, r"nodes\.generator\.actor: expected an actor, got 5"),
        (field(votes="yes"), BadData, r"nodes\.generator\.votes: expected true or false, got 'yes'"),
        (field(when=True), BadData, r"nodes\.generator\.when: expected a function or null, got True"),
        (field(on_error="fial"), BadData, r"on_error: unknown value 'fial'; did you mean 'fail'\?"),
        (field(on_error=1), BadData, "on_error: expected 'abstain' or 'fail', got 1"),
        (edge(kind="temporel"), BadData, r"^edges\[start => generator\]\.kind: .*did you mean 'temporal'\?"),
        (edge(src=["start"]), BadData, r"src: expected a text, got \('start',\)"),
        (field(actor={"policy": {}}), BadData, "expected the name of a policy"),
        (field(actor={"policy": "generator"}), BadData, "expected an actor, got Policy"),
        (field(actor={"range": "abc"}), BadData, r"expected a range as \[start, stop, step\]"),
        (field(actor={"range": [0, 9, 0]}), BadData, "expected a range"),
        (field(actor={"map": 3}), BadData, "expected an object under 'map', got 3"),
        (field(actor={"pairs": [[1]]}), BadData, r"expected pairs as \[\[key, value\], ...\]"),
        (field(actor={"float": "infinite"}), BadData, "expected one of inf, -inf, nan, got 'infinite'"),
        (field(actor={"$": 3}), BadInput, "unknown registered function or class '3'"),
        (field(actor={"$": "os.system"}), BadInput, "os.system"),
        (lambda d: d["team"].update(nodes=5), BadData, "^nodes: expected a list, got 5"),
        (lambda d: d["team"].update(nodes=[5]), BadData, r"^nodes\[0\]: expected node, got 5"),
        (lambda d: d["team"].update(stop={"$": "majority"}), BadData, "^stop: expected Stop, got Majority"),
        (lambda d: d["team"].pop("nodes"), BadData, "^team: Team needs 'nodes'; fix: add that"),
        (lambda d: d["team"]["nodes"][0]["actor"].pop("policy"), BadData, r"generator\.actor: Agent needs 'policy'"),
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


GOLDEN = Path(__file__).parents[2] / "golden"


def test_a_team_saved_by_an_earlier_version_loads_and_keeps_its_digest():
    """A file of schema 1 as it was first written: never to be written anew."""
    team = Team.load(GOLDEN / "team-v1.json", MODEL)
    assert team.digest == "7180b9f3eea9024e40ea30f8acfae181"
    assert diff(team, varied()) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(topologies.__file__).parent.glob("[a-z]*.py")))
def test_digests_of_the_shelf_are_what_they_were(name):
    """A digest names a run and its resume: one that is not in the file is of a new topology, and is to be added."""
    digests = json.loads((GOLDEN / "team-digests.json").read_text())
    assert assembled(getattr(import_module(f"orchestra.topologies.{name}"), name), MODEL).digest == digests[name]


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(topologies.__file__).parent.glob("[a-z]*.py")))
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_every_topology_of_the_shelf_is_written_and_read_back(name, form, tmp_path):
    team = assembled(getattr(import_module(f"orchestra.topologies.{name}"), name), MODEL)
    paths = [tmp_path / f"{number}.{form}" for number in (1, 2)]
    write(paths[0], team)
    again = Team.load(paths[0], {agent.policy.name: agent.policy for agent in team.agents()})
    write(paths[1], again)
    assert again == team and again.digest == team.digest
    assert paths[0].read_bytes() == paths[1].read_bytes()


def lone(actor, **rest):
    return Team("t", [Node("n", actor, **rest)], [Edge(START, "n")])


def test_functions_without_a_name_are_told_apart_by_what_they_do():
    """They once had one outline, so that a run of one team was resumed by another."""
    digests = [lone(Caller(), when=when).digest for when in (
        lambda inbox: len(inbox) > 1, lambda inbox: len(inbox) > 2, lambda inbox: bool(inbox), None,
    )]  # fmt: skip
    assert len(set(digests)) == 4
    assert lone(Caller(), when=lambda inbox: len(inbox) > 1).digest == digests[0]


def test_actors_without_a_name_are_told_apart_by_class_and_fields():
    def made(level, said):
        @dataclass(frozen=True)
        class Mine:
            level: int

            async def __call__(self, view, ctx):
                return said

        return lone(Mine(level)).digest

    assert made(1, "a") == made(1, "a") and len({made(1, "a"), made(2, "a"), made(1, "b")}) == 3


@register("save_test.table")
@dataclass(frozen=True)
class Table:
    """Values that JSON has no words for."""

    lines: FrozenMap[str, int] = EMPTY
    numbers: Mapping[int, float] = EMPTY
    limit: float = 1.0
    deep: tuple[tuple[int, ...], ...] = ()

    async def __call__(self, view, ctx): ...


@pytest.mark.parametrize(
    "table",
    [
        Table(FrozenMap({"b": 1, "a": 2})),
        Table(numbers=FrozenMap({1: 0.5, -2: 3.0})),
        Table(numbers=FrozenMap({1: math.inf, 2: -math.inf})),
        Table(limit=math.inf),
        Table(deep=((), (1, 2))),
    ],
)
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_maps_and_endless_numbers_come_back(table, form, tmp_path):
    team = lone(table)
    write(tmp_path / f"t.{form}", team)
    again = Team.load(tmp_path / f"t.{form}", MODEL)
    assert again == team and again.digest == team.digest and hash(again.nodes[0]) is not None


def test_keys_of_maps_are_not_made_texts():
    assert len({lone(Table(numbers=FrozenMap({key: 1.0}))).digest for key in (1, "1")}) == 2


def test_what_no_number_is_comes_back():
    team = lone(Table(limit=math.nan))
    assert math.isnan(Team.load(team.save(), MODEL).nodes[0].actor.limit) and team.digest


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lines": {"map": {"a": "x"}}}, r"^nodes\.n\.actor\.lines\.a: expected a whole number, got 'x'"),
        ({"numbers": {"map": {"a": 1}}}, r"^nodes\.n\.actor\.numbers: expected a whole number, got 'a'"),
        ({"numbers": {"pairs": [[{"map": {}}, 1], [[], 2]]}}, "expected a whole number"),
        ({"deep": [[1], 2]}, r"^nodes\.n\.actor\.deep\[1\]: expected a list, got 2"),
        ({"deep": [[1], [1, "x"]]}, r"^nodes\.n\.actor\.deep\[1\]\[1\]: expected a whole number, got 'x'"),
        ({"limit": {"range": [1, 2, 1]}}, r"limit: expected a number, got range\(1, 2\)"),
    ],
)
def test_types_are_checked_within_lists_and_maps(values, said):
    data = lone(Table()).save()
    data["team"]["nodes"][0]["actor"].update(values)
    with pytest.raises(BadData, match=said):
        Team.load(data, MODEL)


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(teams())
def test_any_team_is_saved_and_comes_back(team):
    assert Team.load(json.loads(json.dumps(team.save())), POLICIES) == team
    text = to_yaml(team.save())
    assert Team.load(yaml.safe_load(text), POLICIES).digest == team.digest and to_yaml(team.save()) == text


def test_a_role_survives_with_its_examples_choices_and_options():
    made = Role("r", "p {{ prompt }}", system="s", examples=(("q", "a"),), choices=("x", "y"), repairs=2, stop=("\n",),
                temperature=0.0)  # fmt: skip
    again = Team.load(solo(made(MODEL)).save(), MODEL)
    assert again.agents()[0].role == made
