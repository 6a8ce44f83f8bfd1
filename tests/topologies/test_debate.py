"""Debate: who reads whom in any graph, what is shown once, what a judge decides, and that nothing else has changed."""

import asyncio
import re
from collections.abc import Sequence

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.answers import equal
from orchestra.cli.options import TeamOptions
from orchestra.cli.teams import plan
from orchestra.contracts import check_topology
from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, judge
from orchestra.team import Agent, Team
from orchestra.topologies import debate, ensemble
from orchestra.types import Task

MUTE = Scripted(lambda request: "4")


def agents(n, model=MUTE):
    return [debater(model, name=f"n{i}", persona=f"You are n{i}.") for i in range(n)]


def arrows(team):
    return [(e.src, e.dst) for e in team.edges if e.kind == "temporal"]


def links(n, **options):
    return arrows(debate(agents(n), **options))


@pytest.mark.parametrize("n", range(2, 9))
@pytest.mark.parametrize(
    ("name", "graph"), [("full", nx.complete_graph), ("ring", nx.cycle_graph), ("star", lambda n: nx.star_graph(n - 1))]
)
def test_a_shape_by_name_is_the_graph_of_networkx(n, name, graph):
    """A cycle of networkx over two nodes is one link, and its star of n has n + 1 nodes."""
    assert links(n, graph=name) == links(n, graph=graph(n))


@given(st.integers(2, 8), st.integers(0, 2**28), st.booleans(), st.booleans())
def test_any_graph(n, seed, directed, named):
    graph = nx.gnp_random_graph(n, 0.4, seed=seed, directed=directed)
    expected = {(f"n{a}", f"n{b}") for a, b in nx.DiGraph(graph).edges}
    if named:
        graph = nx.relabel_nodes(graph, {i: f"n{i}" for i in range(n)})
    found = links(n, graph=graph)
    assert set(found) == expected and len(found) == len(expected)
    assert found == links(n, graph=[list(pair) for pair in reversed(found)])


def test_a_graph_without_links_is_an_ensemble():
    said = iter("1223")
    model = Scripted(lambda request: next(said))
    apart = asyncio.run(debate(agents(4, model), graph=[]).run("q"))
    assert (apart.answer, apart.usage.calls, apart.stopped_by) == ("2", 4, "done")
    said = iter("1223")
    assert asyncio.run(ensemble(agents(4, model)).run("q")).answer == "2"


@pytest.mark.parametrize(
    ("graph", "what"),
    [
        ("tree", "'tree': expected one of full, ring, star"),
        (nx.complete_graph(5), "node 4; expected names of its agents: n0, n1, n2, n3, or 0 to 3"),
        ([("n0", "nobody")], "node 'nobody'"),
        ([0, 1], "expected a name, a networkx graph, or pairs"),
        (None, "expected a name, a networkx graph, or pairs"),
        (7, "expected a name, a networkx graph, or pairs"),
    ],
)
def test_a_graph_of_something_else_is_refused(graph, what):
    with pytest.raises(BadInput, match=re.escape(what)):
        links(4, graph=graph)


def test_a_shape_can_be_chosen_on_the_command_line():
    made = plan("debate", TeamOptions(option=("graph=ring", "distinct=true", "kind=number"))).sketch()
    assert len(arrows(made)) == 8
    with pytest.raises(BadInput, match="expected one of full, ring, star"):
        plan("debate", TeamOptions(option=("graph=tree",)))


def by_seat(lines):
    """Each debater says its lines, one a round; the judge says the number of characters that it was shown to judge."""

    def say(request):
        text = request.messages[-1][1]
        seat = re.match(r"You are (n\d)\.", text)
        if seat is None:
            return f"The answer is {len(text.splitlines()) - 2}."
        return lines[seat[1]]["advice" in text]

    return Scripted(say)


def test_each_answer_is_heard_once_and_abstentions_are_all_heard():
    lines = {"n0": ["5", "5"], "n1": ["5.0", "6"], "n2": ["Pass.", "7"], "n3": ["Skip.", "8"], "n4": ["9", "9"]}
    model = by_seat(lines)
    asyncio.run(debate(agents(5, model), distinct=True, kind="number").run("q"))
    heard = [re.findall(r"Another says: (.*)", call.messages[-1][1]) for call in model.calls[5:]]
    assert heard == [
        ["5.0", "Pass.", "Skip.", "9"],
        ["5", "Pass.", "Skip.", "9"],
        ["5", "Skip.", "9"],
        ["5", "Pass.", "9"],
        ["5", "Pass.", "Skip."],
    ]


@given(st.lists(st.sampled_from(["1", "1.0", "2", "3", "?"]), min_size=3, max_size=8))
def test_what_is_heard_has_no_answer_twice(firsts):
    lines = {f"n{i}": [first, f"{i}0"] for i, first in enumerate(firsts)}
    model = by_seat(lines)
    asyncio.run(debate(agents(len(firsts), model), distinct=True, kind="number", share=0.99).run("q"))
    for i, call in enumerate(model.calls[len(firsts) :]):
        heard = [said for said in re.findall(r"Another says: (.*)", call.messages[-1][1]) if said != "?"]
        others = [said for j, said in enumerate(firsts) if j != i and said != "?"]
        assert not any(equal(a, b, "number") for k, a in enumerate(heard) for b in heard[:k])
        assert all(any(equal(said, a, "number") for a in heard) for said in others)


def test_hearing_each_once_costs_fewer_tokens_and_no_call():
    lines = {f"n{i}": ["4", f"{i}"] for i in range(5)}
    plain, once = (
        asyncio.run(debate(agents(5, by_seat(lines)), distinct=distinct, share=0.99).run("q")).usage
        for distinct in (False, True)
    )
    assert plain.calls == once.calls == 5 and plain == once  # all agree: they stop after the first round
    lines["n0"] = ["5", "5"]
    plain, once = (
        asyncio.run(debate(agents(5, by_seat(lines)), distinct=distinct, share=0.99).run("q")).usage
        for distinct in (False, True)
    )
    assert plain.calls == once.calls == 10
    assert plain.tokens - once.tokens == 3 * (3 + 4 * 2)  # n0 hears one of four, the others two of four


@pytest.mark.parametrize(("kind", "calls", "answer"), [("number", 3, "18"), (None, 8, "7")])
def test_the_kind_says_when_answers_agree(kind, calls, answer):
    lines = {"n0": ["18", "7"], "n1": ["18.0", "7"], "n2": ["18.00", "8"], "n3": ["7", "9"]}
    result = asyncio.run(debate(agents(4, by_seat(lines)), kind=kind).run("q"))
    assert (result.usage.calls, result.answer) == (calls, answer)


def test_a_judge_decides_and_reads_the_last_word_of_each():
    lines = {"n0": ["1", "4"], "n1": ["2", "5"], "n2": ["3", "6"]}
    model = by_seat(lines)
    team = debate(agents(3, model), judge=judge(model))
    result = asyncio.run(team.run(Task("t", "q")))
    assert model.calls[-1].messages[-1][1].splitlines()[1:-1] == ["n0 says: 4", "n1 says: 5", "n2 says: 6"]
    assert (result.answer, result.usage.calls, result.stopped_by) == ("3", 7, "done")
    assert [(d.agent, len(d.saw)) for d in result.decisions][-1] == ("judge", 3)


def test_a_judge_overrules_the_majority_and_is_asked_after_an_early_stop():
    model = by_seat({"n0": ["8"], "n1": ["8"], "n2": ["8"], "n3": ["9"]})
    result = asyncio.run(debate(agents(4, model), judge=judge(model)).run("q"))
    assert (result.answer, result.usage.calls) == ("3", 4)  # three have spoken


def test_without_its_judge_the_majority_stands():
    lines = {f"n{i}": ["8", "8"] for i in range(3)}
    result = asyncio.run(debate(agents(3, by_seat(lines)), judge=judge(Scripted([]))).run("q"))
    assert (result.answer, result.usage.calls) == ("8", 4)


def test_debaters_of_different_models_and_personas():
    models = [Scripted(lambda request, i=i: str(i), name=f"m{i}") for i in range(3)]
    team = debate([debater(model, name=f"n{i}", persona=f"P{i}") for i, model in enumerate(models)], graph="ring")
    result = asyncio.run(team.run("q"))
    assert result.usage.calls == 6
    for i, model in enumerate(models):
        assert [call.messages[-1][1].split()[0] for call in model.calls] == [f"P{i}"] * 2


ROLES = {"agents": ("debater",) * 3, "judge": ("judge",)}


def judged(agents: Sequence[Agent], *, judge: Agent) -> Team:
    return debate(agents, judge=judge, distinct=True, kind="number", graph=[(0, 1), (1, 2), (2, 0)])


def test_the_contract_with_all_options():
    check_topology(judged)
