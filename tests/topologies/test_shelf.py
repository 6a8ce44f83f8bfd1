"""Every topology on the shelf, found by its file, keeps the contract of topologies; then what each one is by hand."""

import asyncio
from importlib import import_module
from pathlib import Path

import pytest

import orchestra.topologies
from orchestra.contracts import check_topology
from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator
from orchestra.topologies import chain, debate, self_consistency, solo

FILES = sorted(path.stem for path in Path(orchestra.topologies.__file__).parent.glob("*.py") if path.stem != "__init__")
MODEL = Scripted(lambda request: "4")


def topology(name):
    return getattr(import_module(f"orchestra.topologies.{name}"), name)


def test_the_shelf_is_not_empty():
    assert {"chain", "debate", "self_consistency", "solo"} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_the_contract_of_topologies(name):
    check_topology(topology(name))


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_exported_and_says_what_it_is(name):
    module = import_module(f"orchestra.topologies.{name}")
    assert name in orchestra.topologies.__all__
    assert len((module.__doc__ or "").splitlines()[0]) > 20 and topology(name).__doc__


def agents(n):
    return [debater(MODEL, name=f"n{i}") for i in range(n)]


def arrows(team):
    return {(e.src, e.dst) for e in team.edges if e.kind == "temporal"}


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_who_reads_whom_in_a_debate(n):
    names = [f"n{i}" for i in range(n)]
    full = {(a, b) for a in names for b in names if a != b}
    ring = {(names[i], names[(i + step) % n]) for i in range(n) for step in (1, -1)}
    star = {pair for b in names[1:] for pair in ((names[0], b), (b, names[0]))}
    for graph, expected in (("full", full), ("ring", ring), ("star", star)):
        team = debate(agents(n), graph=graph)
        assert arrows(team) == expected and len([e for e in team.edges if e.kind == "temporal"]) == len(expected)


def test_calls_of_a_debate_that_never_agrees_are_agents_times_rounds():
    for n, rounds in ((2, 1), (3, 2), (4, 3)):
        replies = iter(range(100))
        model = Scripted(lambda request, replies=replies: str(next(replies)))
        team = debate([debater(model, name=f"n{i}") for i in range(n)], rounds=rounds)
        result = asyncio.run(team.run("q"))
        assert (result.usage.calls, result.leaf.rounds, result.stopped_by) == (n * rounds, rounds, "max rounds")


def test_self_consistency_breaks_ties_for_the_first_and_ignores_abstentions():
    for replies, answer in ((["1", "2"], "1"), (["?", "2", "3", "3", "?"], "3"), (["?"], None)):
        team = self_consistency(generator(Scripted(replies)), n=len(replies))
        assert asyncio.run(team.run("q")).answer == answer


def test_samples_of_one_agent_differ_by_seed_alone():
    model = Scripted(lambda request: "1")
    asyncio.run(self_consistency(generator(model), n=7).run("q"))
    assert len({call.seed for call in model.calls}) == 7 and len({call.messages for call in model.calls}) == 1


def test_a_chain_of_one_is_solo():
    one, alone = chain(generator(MODEL)).run_sync("q"), solo(generator(MODEL)).run_sync("q")
    assert (one.answer, one.usage, one.stopped_by) == (alone.answer, alone.usage, alone.stopped_by)


def test_a_chain_whose_last_agent_fails_gives_the_last_answer():
    team = chain(*(generator(Scripted(said), name=n) for n, said in (("a", ["1"]), ("b", ["2"]), ("c", []))))
    assert team.run_sync("q").answer == "2"


@pytest.mark.parametrize(
    "make",
    [
        lambda: chain(),
        lambda: debate(agents(1)),
        lambda: debate(agents(3), graph="tree"),
        lambda: self_consistency(generator(MODEL), n=0),
        lambda: self_consistency(generator(MODEL), n=1001),
        lambda: debate(agents(2), rounds=0),
        lambda: debate([debater(MODEL, name="same")] * 2),
    ],
)
def test_what_cannot_be_meant_is_refused(make):
    with pytest.raises(BadInput, match=r"expected|same"):
        make()
