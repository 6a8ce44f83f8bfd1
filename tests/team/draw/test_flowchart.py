"""Drawings: every node and edge is there, and no name can write a line of its own."""

import re

import pytest
from small_teams import Caller

from orchestra.engine import START, Edge, MaxRounds, Node
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Fallback, Map, Retry, Team, Timed, Told
from orchestra.team.draw import dot
from orchestra.topologies import chain, debate

MODEL = Scripted([])


def test_a_chain_by_hand():
    assert chain(generator(MODEL), verifier(MODEL), refiner(MODEL)).to_mermaid().splitlines() == [
        "flowchart LR",
        "  in(( ))",
        '  n0["generator"]',
        '  n1["verifier"]',
        '  n2["refiner"]',
        "  in --> n0",
        "  n0 --> n1",
        "  n0 --> n2",
        "  n1 --> n2",
    ]


def test_temporal_edges_are_dotted_non_voters_are_hexagons_and_a_team_is_a_box():
    inner = debate([debater(MODEL, name=n) for n in "xy"])
    team = Team(
        "t",
        [Node("clerk", Caller(), votes=False), Node("group", inner)],
        [Edge(START, "clerk"), Edge("clerk", "group"), Edge("group", "clerk", "temporal")],
        MaxRounds(2),
    )
    lines = [line.strip() for line in team.to_mermaid().splitlines()]
    assert 'n0{{"clerk"}}' in lines and "n1 -.-> n0" in lines and "n0 --> n1" in lines
    box = lines[lines.index('subgraph n1 ["group"]') : lines.index("end")]
    assert 'n1_n0["x"]' in box and "n1_n1 -.-> n1_n0" in box and "n1_in --> n1_n0" in box


def test_what_is_around_an_actor_is_in_its_label_and_a_team_within_is_a_box():
    inner = debate([debater(MODEL, name=n) for n in "xy"])
    around = {"group": Timed(Retry(inner), 30, idle=2), "each": Map(Told(inner, "q")), "alone": Retry(Caller(), 2)}
    team = Team("t", [Node(n, actor) for n, actor in around.items()], [Edge(START, n) for n in around])
    lines = [line.strip() for line in team.to_mermaid().splitlines()]
    assert 'subgraph n0 ["group<br/>within 30 s, idle for 2 s<br/>retry x3"]' in lines
    assert 'subgraph n1 ["each<br/>for each item<br/>told another task"]' in lines
    assert 'n2["alone<br/>retry x2"]' in lines and lines.count("end") == 2
    assert 'n0_n1["y"]' in lines and "n1_n1 -.-> n1_n0" in lines
    assert r'label="group\nwithin 30 s, idle for 2 s\nretry x3"' in dot(team) and "cluster_n_1" in dot(team)
    assert 'class="frame"' in team.to_svg() and ">retry x2<" in team.to_svg()


def test_of_several_actors_none_is_looked_into():
    inner = debate([debater(MODEL, name=n) for n in "xy"])
    text = Team("t", [Node("a", Fallback([inner, inner]))], [Edge(START, "a")]).to_mermaid()
    assert text.splitlines() == ["flowchart LR", "  in(( ))", '  n0["a"]', "  in --> n0"]


@pytest.mark.parametrize("name", ["a>b", "end", "subgraph", "click n0 href", "n0", "in", "a@b.c", "9", "_", "x -- y"])
def test_hostile_names_stay_in_their_label(name):
    text = Team(
        "t", [Node(name, Caller()), Node("other", Caller())], [Edge(START, name), Edge(name, "other")]
    ).to_mermaid()
    lines = text.splitlines()
    assert lines[2:] == [f'  n0["{name.replace(">", "&gt;")}"]', '  n1["other"]', "  in --> n0", "  n0 --> n1"]
    assert all(re.fullmatch(r'  (?:in\(\( \)\)|n\d\["[^"<>]*"\]|\w+ --> \w+)', line) for line in lines[1:])


@pytest.mark.parametrize("name", ['a"]\n  evil', "a\nb", 'x"', "<script>", "a]", "`", "a\u202eb", "a;b", "%%{init}%%"])
def test_names_that_could_end_a_label_never_reach_a_drawing(name):
    with pytest.raises(BadTeam, match="expected 1 to 80"):
        Team("t", [Node(name, Caller())], [Edge(START, name)])
