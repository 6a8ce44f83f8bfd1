"""What makes one team into another: as few changes as differences, and applied they give the other's digest."""

import json
from dataclasses import dataclass, replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from random_teams import POLICIES, teams
from small_teams import Caller

from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, last
from orchestra.errors import BadInput
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Team
from orchestra.team.saving.diff import diff, lines
from orchestra.team.saving.patch import patch
from orchestra.team.saving.save import outline
from orchestra.topologies import chain, debate

MODEL = Scripted([])
ANY = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def three():
    return chain(generator(MODEL), verifier(MODEL), refiner(MODEL))


def with_agent(team, i, **changes):
    """The team with its i-th agent changed, made by hand and not by patching."""
    node = team.nodes[i]
    nodes = [*team.nodes[:i], replace(node, actor=replace(node.actor, **changes)), *team.nodes[i + 1 :]]
    return replace(team, nodes=nodes)


@ANY
@given(teams(), teams())
def test_applied_to_one_team_it_gives_the_other(a, b):
    changes = diff(a, b)
    assert patch(a, changes, POLICIES).digest == b.digest
    assert patch(a, json.loads(json.dumps(changes)), POLICIES) == b
    assert patch(b, diff(b, a), POLICIES) == a
    assert bool(changes) == (a.digest != b.digest) and bool(lines(changes)) == bool(changes)


@ANY
@given(teams())
def test_equal_teams_have_no_difference_whatever_the_order_of_keys(team):
    again = Team.load(json.loads(json.dumps(team.save(), sort_keys=True)), MODEL)
    assert diff(team, again) == [] and lines([]) == []


def test_control_without_one_of_its_changes_a_patch_falls_short():
    a, b = debate([debater(MODEL, name=n) for n in "ab"]), debate([debater(MODEL, name=n) for n in "abc"], rounds=3)
    changes = diff(a, b)
    assert patch(a, changes).digest == b.digest
    for i in range(len(changes)):
        try:
            assert patch(a, changes[:i] + changes[i + 1 :]).digest != b.digest
        except BadInput:
            continue  # a node without its edges


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (lambda t: with_agent(t, 0, role=replace(generator, temperature=0.5)),
         [{"do": "set", "at": "nodes.generator.actor.role.temperature", "to": 0.5, "was": 0.7}]),
        (lambda t: with_agent(t, 1, persona="Be strict."),
         [{"do": "set", "at": "nodes.verifier.actor.persona", "to": "Be strict.", "was": ""}]),
        (lambda t: with_agent(t, 2, policy=Policy("big", MODEL)),
         [{"do": "set", "at": "nodes.refiner.actor.policy", "to": {"policy": "big"}, "was": {"policy": "refiner"}}]),
        (lambda t: replace(t, name="line"), [{"do": "set", "at": "name", "to": "line", "was": "chain"}]),
        (lambda t: replace(t, output=last("verifier")),
         [{"do": "set", "at": "output.names[0]", "to": "verifier", "was": "refiner"}]),
        (lambda t: replace(t, stop=MaxRounds(3)),
         [{"do": "set", "at": "stop", "to": {"$": "maxrounds", "limit": 3}, "was": {"$": "never"}}]),
        (lambda t: replace(t, nodes=[replace(t.nodes[0], votes=False), *t.nodes[1:]]),
         [{"do": "set", "at": "nodes.generator.votes", "to": False, "was": True}]),
        (lambda t: replace(t, edges=t.edges[:-1]), [{"do": "remove", "at": "edges[verifier => refiner]"}]),
        (lambda t: replace(t, edges=[*t.edges, Edge("generator", "refiner")]),
         [{"do": "add", "at": "edges", "to": {"$": "edge", "src": "generator", "dst": "refiner"}}]),
        (lambda t: replace(t, edges=[Edge(START, "refiner"), *t.edges]),
         [{"do": "add", "at": "edges", "to": {"$": "edge", "src": "start", "dst": "refiner"}, "place": 0}]),
        (lambda t: replace(t, nodes=[t.nodes[2], *t.nodes[:2]]),
         [{"do": "order", "at": "nodes", "to": ["refiner", "generator", "verifier"]}]),
    ],
)  # fmt: skip
def test_one_difference_is_one_change(make, changes):
    team = three()
    assert diff(team, make(team)) == changes


def test_a_node_that_differs_by_name_alone_is_renamed_with_all_that_names_it():
    agents = {n: generator(MODEL, name=n) for n in ("generator", "author")}
    a, b = (chain(agent, refiner(MODEL)) for agent in agents.values())
    assert diff(a, b) == [
        {"do": "rename", "at": "nodes.generator", "to": "author"},
        {"do": "set", "at": "nodes.author.actor.name", "to": "author", "was": "generator"},
    ]


def test_differences_within_a_nested_team_have_their_place():
    def nested(rounds):
        inner = debate([debater(MODEL, name=n) for n in "xy"], rounds=rounds)
        return chain(inner, refiner(MODEL))

    assert [change["at"] for change in diff(nested(2), nested(4))] == ["nodes.debate.actor.stop.second.limit"]


def test_functions_without_a_name_differ_by_what_they_do_and_cannot_be_put_in_place():
    def joined(when):
        return Team("t", [Node("n", Caller(), when=when)], [Edge(START, "n")])

    one, two = joined(lambda inbox: len(inbox) > 1), joined(lambda inbox: len(inbox) > 2)
    assert diff(one, joined(lambda inbox: len(inbox) > 1)) == []
    (change,) = diff(one, two)
    assert change["at"] == "nodes.n.when" and "lambda" in lines([change])[0]
    with pytest.raises(BadInput, match=r"nodes.n.when: unknown registered function or class .*--import FILE.py helps"):
        patch(one, [change])


def test_actors_without_a_name_are_compared_by_class_and_fields():
    @dataclass(frozen=True)
    class Mine:
        level: int = 1

        async def __call__(self, view, ctx): ...

    a, b = (Team("t", [Node("n", Mine(level))], [Edge(START, "n")]) for level in (1, 2))
    assert [(c["at"], c["was"], c["to"]) for c in diff(a, b)] == [("nodes.n.actor.level", 1, 2)]
    assert patch(a, {"name": "u"}).nodes[0].actor == Mine(1)  # what is not touched stays as it is


def test_a_zero_is_not_false_and_a_whole_number_is_not_a_float():
    a, b = (with_agent(three(), 0, role=replace(generator, temperature=zero)) for zero in (0, 0.0))
    assert a.digest != b.digest and len(diff(a, b)) == 1


def test_changes_are_read_as_lines():
    a = debate([debater(MODEL, name=n) for n in ("ann", "the bob")])
    role = replace(debater, prompt=debater.prompt.replace("You said", "Before you said"), temperature=0)
    b = replace(debate([role(MODEL, name="ann"), debater(MODEL, name="cy")], rounds=3), name="talk")
    assert lines(diff(a, b)) == [
        "~ nodes[the bob] is now called 'cy'",
        '~ name: "debate" -> "talk"',
        "~ nodes.ann.actor.role.prompt:",
        "    @@ -1,5 +1,5 @@",
        "     {{ persona }}",
        "     {{ prompt }}",
        "    -{% if memory %}You said: {{ memory }}",
        "    +{% if memory %}Before you said: {{ memory }}",
        "     {% endif %}{% for message in inbox %}Another says: {{ message.content }}",
        "     {% endfor %}{% if inbox %}Using these as advice, give your updated answer.{% endif %}",
        "~ nodes.ann.actor.role.temperature: 0.7 -> 0",
        '~ nodes.cy.actor.name: "the bob" -> "cy"',
        "~ stop.second.limit: 2 -> 3",
    ]
    more = debate([debater(MODEL, name=n) for n in ("ann", "the bob", "cy")])
    told = lines(diff(a, more))
    assert told[0] == '+ nodes.cy: actor=agent(name="cy", role=role("debater"), policy=debater)'
    assert "+ edges[start => cy] at place 2" in told and "+ edges[cy ~> the bob]" in told
    assert lines(diff(more, a))[0] == "- nodes.cy"
    assert lines([{"do": "set", "at": "name", "to": "x"}, {"do": "order", "at": "nodes", "to": ["b", "a"]}]) == [
        '~ name: "x"',
        "~ nodes in another order: b, a",
    ]


def test_a_diff_survives_yaml():
    a, b = three(), replace(with_agent(three(), 0, persona="yes\nno: 1\n"), stop=Quorum(0.5))
    changes = yaml.safe_load(yaml.safe_dump(diff(a, b)))
    assert outline(patch(a, changes)) == outline(b)
