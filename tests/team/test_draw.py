"""Drawings: every node and edge is there, and no name can write a line of its own."""

import re

import pytest
from small_teams import Caller

from orchestra.engine import START, Edge, MaxRounds, Node
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Team
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
