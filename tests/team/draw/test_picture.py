"""Pictures are complete and the same each time; no word of a run becomes a part of one, of Mermaid or of DOT."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree as ET

import pytest
from drawn_teams import teams
from hypothesis import given, settings
from hypothesis import strategies as st
from small_teams import ANSWERER, Caller

from orchestra.engine import START, Edge, MaxRounds, Node
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.team import Team
from orchestra.team.draw import dot, mermaid, overlay, svg
from orchestra.team.draw.frames import framed
from orchestra.topologies import chain, debate

NAMESPACE = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>", "\x1b[31mred\x1b]0;title\x07", "'\"><image href='x'/>", "]]>", "&lt;&#60;",
    "a\nb -> c", "%%{init: {'theme':'dark'}}%%", '"]\n  evil["', "\u202egnp.exe", "\ud800", "`md`", r"\N \" \\",
    "click n0 href 'x'", "-->", "\x00\x0b\ufffe",
]  # fmt: skip


def answering(text):
    return chain(ANSWERER(Scripted([text]), name="a"), ANSWERER(Scripted(["fine"]), name="b"))


def elements(text, name):
    return list(ET.fromstring(text.encode()).iter(NAMESPACE + name))


@settings(max_examples=100)
@given(teams(), st.booleans())
def test_every_node_and_edge_stands_there_once(team, ran):
    text = svg(team, overlay(team, team.run_sync("q")) if ran else None)
    assert text == svg(team, overlay(team, team.run_sync("q")) if ran else None)
    nodes = [group.find(NAMESPACE + "title").text for group in elements(text, "g") if "node" in group.get("class", "")]
    edges = [path.find(NAMESPACE + "title").text for path in elements(text, "path") if path.get("class") != "tip"]
    expected_nodes, expected_edges = parts(team)
    assert Counter(nodes) == expected_nodes
    assert Counter(title.partition(":")[0] for title in edges) == expected_edges
    dotted = sum("temporal" in path.get("class") for path in elements(text, "path"))
    assert dotted == mermaid(team).count("-.->") == dot(team).count("style=dotted")


def parts(team):
    """Names of nodes and edges, nested ones too."""
    nodes = Counter(node.name for node in team.nodes)
    edges = Counter(f"{'task' if edge.src == START else edge.src} -> {edge.dst}" for edge in team.edges)
    for node in team.nodes:
        if (inner := framed(node.actor)) is not None:
            inner_nodes, inner_edges = parts(inner)
            nodes, edges = nodes + inner_nodes, edges + inner_edges
    return nodes, edges


def test_shapes_caption_and_both_colour_schemes():
    inner = debate([ANSWERER(Scripted(["1"]), name=name) for name in "xy"])
    team = Team("t", [Node("clerk", Caller(), votes=False), Node("group", inner)], [Edge(START, "clerk"), *TWO_WAYS],
                MaxRounds(2))  # fmt: skip
    text = svg(team)
    assert len(elements(text, "polygon")) == 1 and len(elements(text, "circle")) == 2
    assert [box.get("class") for box in elements(text, "rect")] == ["page", "frame", "box", "box"]
    assert "stop: MaxRounds(2)" in text and "output: Last()" in text
    assert ".page{fill:#fff}" in text and "prefers-color-scheme:dark" in text and ".page{fill:#14181d}" in text


TWO_WAYS = (Edge("clerk", "group"), Edge("group", "clerk", "temporal"))


def test_what_a_run_did_and_what_stayed_silent():
    quiet = Edge("a", "c", carry=lambda message: None)
    team = Team("t", [Node(n, Caller()) for n in "abc"], [Edge(START, "a"), Edge("a", "b"), quiet])
    run = overlay(team, team.run_sync("q"))
    text = svg(team, run)
    silent = [group for group in elements(text, "g") if "silent" in group.get("class", "")]
    assert [group.find(NAMESPACE + "title").text for group in silent] == ["c"]
    assert [p.get("class") for p in elements(text, "path")][1:] == ["edge spatial"] * 2 + ["edge spatial silent"]
    assert [t.text for t in elements(text, "text") if t.get("class") == "count"] == ["1", "1"]
    assert [t.text for t in elements(text, "text")][1:4] == ["spoke 1", "1 turn, 1 call", "3 + 1 tokens"]

    chart = mermaid(team, run).splitlines()
    assert "  n0 -->|1| n1" in chart and "  n0 --> n2" in chart
    assert chart[-2:] == ["  class n2 silent", "  linkStyle 2 stroke:#999,opacity:0.5"]
    digraph = dot(team, run)
    assert 'n_0 -> n_1 [label="1"]' in digraph and "n_0 -> n_2 [color=gray60]" in digraph
    assert r'n_2 [label="c\nsilent", shape=box, color=gray60, fontcolor=gray60]' in digraph


@pytest.mark.parametrize("words", HOSTILE)
def test_no_word_of_a_run_becomes_a_part_of_the_drawing(words):
    team, plain = answering(words), answering("plain")
    run, usual = overlay(team, team.run_sync("q")), overlay(plain, plain.run_sync("q"))
    text = svg(team, run)
    tags = [element.tag for element in ET.fromstring(text.encode()).iter()]
    assert tags == [element.tag for element in ET.fromstring(svg(plain, usual).encode()).iter()]
    for drawing, ordinary in ((text, svg(plain, usual)), (mermaid(team, run), mermaid(plain, usual)),
                              (dot(team, run), dot(plain, usual))):  # fmt: skip
        assert len(drawing.splitlines()) == len(ordinary.splitlines())
        assert not set("\x1b\x07\x00\u202e\ud800") & set(drawing)
    label = re.compile(r'  n\d\["[^"`%\\]*"\]')
    assert sum(label.fullmatch(line) is not None for line in mermaid(team, run).splitlines()) == 2
    assert '"' not in re.sub(r'"(?:[^"\\]|\\.)*"', "", dot(team, run))


def test_control_unescaped_words_would_become_elements():
    escaped = answering("<b>x</b>")
    text = svg(escaped, overlay(escaped, escaped.run_sync("q")))
    assert len(elements(text.replace("&lt;", "<").replace("&gt;", ">").replace("-> ", ""), "b")) >= 1
    assert not elements(text, "b")


@pytest.mark.parametrize("n", [2, 40])
def test_many_nodes_are_drawn(n):
    model = Scripted([])
    crowd = debate([ANSWERER(model, name=f"debater-{i}") for i in range(n)], rounds=2)
    text = svg(crowd)
    assert len(elements(text, "path")) == 1 + n + n * (n - 1)
    assert ('class="edge temporal dense"' in text) == (n == 40)
    assert text.count('class="box"') == n


def test_the_words_of_a_drawing():
    team = chain(generator(Scripted([])), verifier(Scripted([])), refiner(Scripted([])))
    assert [t.text for t in elements(svg(team), "text")][-3:] == ["chain", "stop: Never()", "output: Last(refiner)"]
