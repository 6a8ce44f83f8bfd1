"""Tokens by agent and tokens read again, against counts by hand and a slower recount of a real run."""

from collections import Counter
from dataclasses import replace

import pytest

from orchestra.evaluation.diagnostics import communication, readings
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import AnswerOnly, Team
from orchestra.topologies import chain, debate


def test_by_hand(written):
    run = written(
        [
            ("a", 0, "one two three", ()),
            ("b", 0, "four five", ("a0",)),
            ("a", 1, "six", ("b0",)),
            ("b", 1, "seven", ("a1",)),
        ],
        prompt="x y",
    )
    found = communication([run])
    assert [(r.sender, r.reader, r.round, r.tokens) for r in readings(run)] == [
        ("a", "b", 0, 3),
        ("b", "a", 1, 2),
        ("a", "b", 1, 1),
    ]
    costs = {name: (c.calls, c.tokens_in, c.tokens_out, c.reread) for name, c in found.agents.items()}
    assert costs == {"a": (2, 2 + 4, 4, 2), "b": (2, 5 + 3, 3, 4)}
    assert {edge: (c.messages, c.readings, c.reread) for edge, c in found.edges.items()} == {
        ("a", "b"): (2, 2, 4),
        ("b", "a"): (1, 1, 2),
    }
    assert {round: c.reread for round, c in found.rounds.items()} == {0: 3, 1: 3}
    assert found.share == 6 / 14
    twice = communication([run, replace(run, id="again")])
    assert twice.reread == 12 and twice.runs == 2 and twice.edges["a", "b"].messages == 4


def test_remote_without_ids(written):
    lines = [("a", 0, "one two three", ()), ("b", 0, "four", ("a0",))]
    assert readings(written(lines, remote=True)) == readings(written(lines))


def test_worded_for_its_reader_and_strangers(written):
    """`id>reader` is the message `id`; a message from outside the run is nobody's."""
    run = written([("a", 0, "one two", ()), ("b", 0, "three", ("t/a@0~0>b", "elsewhere@0"))])
    assert [(r.sender, r.tokens) for r in readings(run)] == [("a", 2)]


@pytest.mark.parametrize("team", ["debate", "chain"])
def test_recount_of_a_real_run(team):
    """A second way: how often each reply's words stand in the prompts of others."""
    words = iter(f"w{i} number {i} end{i}" for i in range(100))
    model = Scripted(lambda request: next(words))
    if team == "debate":
        graph = debate([debater(model, name=n) for n in "abcd"], rounds=3, graph="ring")
    else:
        graph = chain(generator(model), verifier(model), refiner(model))
    run = graph.run_sync("What is 1 + 1?")
    expected = Counter()
    for reader in run.decisions:
        asked = reader.request.messages[-1][1]
        for said in run.decisions:
            if said.agent != reader.agent and said.completion.text in asked:
                expected[said.agent, reader.agent] += len(said.completion.output_ids)
    found = communication([run])
    assert {edge: cost.reread for edge, cost in found.edges.items()} == dict(expected)
    assert found.reread > 0
    assert sum(c.tokens_in for c in found.agents.values()) == run.usage.tokens_in
    assert sum(c.tokens_out for c in found.agents.values()) == run.usage.tokens_out


def test_shortened_by_an_edge_is_unknown():
    """An edge that carries the answer alone: the reading counts, its tokens are not made up."""
    model = Scripted(lambda request: f"{request.messages[-1][1].split()[0]} thinks that it is 4.")
    team = debate([debater(model, name=n, persona=n) for n in "ab"], rounds=2, share=0.9)
    quiet = replace(team, edges=[replace(e, carry=AnswerOnly()) if e.kind == "temporal" else e for e in team.edges])
    quiet = replace(quiet, stop=quiet.stop.second)
    assert isinstance(quiet, Team)
    found = communication([quiet.run_sync("2 + 2?")])
    assert {edge: (c.readings, c.unknown, c.reread) for edge, c in found.edges.items()} == {
        ("a", "b"): (1, 1, 0),
        ("b", "a"): (1, 1, 0),
    }


def test_nested_team_keeps_its_agents_apart():
    model = Scripted(lambda request: "4")
    group = debate([debater(model, name=n) for n in "ab"], rounds=1)
    run = chain(generator(model, name="first"), group, refiner(model)).run_sync("2 + 2?")
    assert set(communication([run]).agents) == {"first", "debate/a", "debate/b", "refiner"}
