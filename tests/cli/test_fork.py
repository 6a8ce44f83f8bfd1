"""Forks, answers and rebuilt runs, as a person asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestra.models.scripted import Scripted
from orchestra.types import Completion, Request

CHAIN = ("chain", "What is 34 + 57?", "--model", "scripted:s.txt")
ASKS = """
from orchestra import Reply, Team
from orchestra.engine import START, Edge, Node, last

async def ann(view, ctx):
    said = await ctx.ask("Is it right?", ("yes", "no"))
    return Reply(said, said, origin="person")

async def bob(view, ctx):
    said = await ctx.ask(f"And you, after {view.inbox[-1].content}?")
    return Reply(said, said, origin="person")

edges = [Edge(START, "ann"), Edge("ann", "bob")]
team = Team("people", [Node("ann", ann), Node("bob", bob)], edges, output=last("bob"))
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that reaches the scripted model, which numbers its replies."""
    requests: list[Request] = []

    async def generate(self: Scripted, batch: Sequence[Request]) -> Sequence[Completion]:
        requests.extend(batch)
        model = Scripted([f"The answer is {len(requests)}{r.seed % 10}. Yes." for r in batch])
        return await answer(model, batch)

    answer = Scripted.generate
    monkeypatch.setattr(Scripted, "generate", generate)
    return requests


def test_a_decision_drawn_anew_and_one_put_in_other_words(orchestra, asked) -> None:
    first = orchestra("run", *CHAIN, "--run-dir", "one", "--json").json
    rows = orchestra("history", "one", "--json").json["decisions"]
    assert [(row["n"], row["path"]) for row in rows] == [(1, "chain/generator"), (2, "chain/verifier"),
                                                         (3, "chain/refiner")]  # fmt: skip
    assert len(asked) == 3
    anew = orchestra("run", *CHAIN, "--fork", "one", "--at", "2", "--json").json
    assert len(asked) == 5 and anew["trajectory_id"] != first["trajectory_id"]  # the generator is not asked again
    said = orchestra("run", *CHAIN, "--fork", "one", "--at", "1", "--say", "It is 7.", "--json").json
    assert len(asked) == 7 and "It is 7." in asked[-1].messages[-1][1]
    kept = orchestra("history", said["run_dir"], "--json").json["decisions"]
    assert (kept[0]["said"], kept[0]["draw"]) == ("It is 7.", 1)
    again = orchestra("run", *CHAIN, "--fork", "one", "--at", "1", "--say", "It is 7.", "--json").json
    assert again == said and len(asked) == 7
    assert orchestra("history", "one", "--json").json["decisions"] == rows  # what was forked is as it was


def test_another_team_on_a_kept_run_is_refused_or_forked(orchestra, asked) -> None:
    orchestra("run", *CHAIN, "--run-dir", "one")
    Path("cooler.yaml").write_text("{schema: 1, changes: {nodes.refiner.actor.role.temperature: 0}}")
    words = ("run", *CHAIN, "--patch", "cooler.yaml", "--run-dir", "one")
    code, out, err = orchestra(*words)
    assert (code, out) == (2, "") and "was started with another spec: team was" in err
    value = orchestra(*words, "--on-drift", "branch", "--json").json
    assert len(asked) == 4 and value["run_dir"].startswith("one-")  # only what the patch touched
    assert orchestra(*words, "--on-drift", "branch", "--json").json == value
    assert orchestra("run", *CHAIN, "--run-dir", "one", "--on-drift", "branch", "--json").json["run_dir"] == "one"
    fork = value["run_dir"]  # the fork itself, named: the same run
    again = ("run", *CHAIN, "--patch", "cooler.yaml", "--run-dir", fork, "--on-drift", "branch", "--json")
    assert orchestra(*again).json == value
    assert len(asked) == 4


def test_a_team_that_asks_people(orchestra) -> None:
    Path("people.py").write_text(ASKS)
    words = ("run", "people.py:team", "q", "--run-dir", "kept")
    waiting = orchestra(*words, "--json").json
    assert (waiting["stopped_by"], waiting["answer"]) == ("question", None)
    assert waiting["questions"] == [{"path": "people/ann", "text": "Is it right?", "options": ["yes", "no"]}]
    assert "people/ann asks: Is it right?" in orchestra(*words).out
    code, out, err = orchestra(*words, "--answer", "maybe")
    assert (code, out) == (2, "") and "expected one of yes, no, got 'maybe'" in err
    half = orchestra(*words, "--answer", "yes", "--json").json
    assert half["questions"] == [{"path": "people/bob", "text": "And you, after yes?", "options": []}]
    done = orchestra(*words, "--answer", "people/bob=a=b", "--json").json
    assert (done["stopped_by"], done["answer"], done["questions"]) == ("done", "a=b", [])
    code, out, err = orchestra(*words, "--answer", "more")
    assert (code, out) == (2, "") and "nobody asks for it" in err
    both = (
        "run",
        "people.py:team",
        "q",
        "--run-dir",
        "other",
        "--answer",
        "people/bob=late",
        "--answer",
        "no",
        "--json",
    )
    assert orchestra(*both).json["answer"] == "late"


def test_a_run_rebuilt_after_every_call_is_the_same_run(orchestra, asked) -> None:
    plain = orchestra("run", *CHAIN, "--run-dir", "one", "--json").json
    asked.clear()
    rebuilt = orchestra("run", *CHAIN, "--run-dir", "two", "--always-replay", "--json").json
    assert {**rebuilt, "run_dir": "one"} == plain and len(asked) == 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--at 1", "--fork DIR"),
        ("--say x", "--fork DIR"),
        ("--fork one --say x", "--at N"),
        ("--fork one --at 4", "the run has 3 decisions"),
        ("--fork one --at 1 --say \udcff", "expected words"),
        ("--fork nowhere", "is no run folder"),
        ("--fork one --at 1 --seed 2", "a fork has the same task and seed"),
    ],
)
def test_what_cannot_be_forked_is_said(orchestra, asked, words, why) -> None:
    orchestra("run", *CHAIN, "--run-dir", "one")
    code, out, err = orchestra("run", *CHAIN, *words.split())
    assert (code, out) == (2, "") and why in err and len(err.splitlines()) == 1


def test_a_fork_of_a_fork_goes_on_from_it(orchestra, asked) -> None:
    """It began at the top, since a fork's own journal holds only what is new in it, and left `--at` out."""
    orchestra("run", *CHAIN, "--run-dir", "one")
    orchestra("run", *CHAIN, "--fork", "one", "--at", "2", "--say", "No: it is 7.", "--run-dir", "two")
    rows = orchestra("history", "two", "--json").json["decisions"]
    asked.clear()
    same = orchestra("run", *CHAIN, "--fork", "two", "--run-dir", "same", "--json").json
    assert not asked and orchestra("history", same["run_dir"], "--json").json["decisions"] == rows
    orchestra("run", *CHAIN, "--fork", "two", "--at", "3", "--run-dir", "three")
    last = orchestra("history", "three", "--json").json["decisions"]
    assert len(asked) == 1 and last[:2] == rows[:2] and (last[2]["draw"], last[2]["state"]) == (1, rows[2]["state"])
    asked.clear()
    orchestra("run", *CHAIN, "--fork", "three", "--at", "2", "--run-dir", "four")
    assert [row["draw"] for row in orchestra("history", "four", "--json").json["decisions"]] == [0, 2, 0]
    assert len(asked) == 2  # a draw that neither run has, and what follows from it
