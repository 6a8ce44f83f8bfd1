"""The jury: a workspace of facts, steps without memory, and an actor and a critic who know what is known."""

import asyncio
from itertools import pairwise

import pytest

from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import explorer, reviewer, scribe, solver
from orchestra.topologies import jury


def made(found, facts, words, verdicts, **options):
    """A jury of four models with these lines; and the models."""
    models = [Scripted(lines) for lines in (found, facts, words, verdicts)]
    roles = (explorer, scribe, solver, reviewer)
    return jury(*(role(model) for role, model in zip(roles, models, strict=True)), **options), models


def go(team, **options):
    return asyncio.run(team.run("q", **options))


def told(model):
    return [call.messages[-1][1] for call in model.calls]


def stops(result):
    return [event.text for event in result.events if event.kind == "stop"]


LOUD = "I looked for a very long while and found that "


def test_steps_read_the_facts_and_nothing_of_what_was_said():
    team, (explores, scribes, acts, _) = made(
        [f"{LOUD}a", f"{LOUD}b", f"{LOUD}c"], ["fact a", "- fact b\n- fact c", "Fact A."], ["4"], ["[Agree]"]
    )
    result = go(team)
    assert told(explores) == [
        "q\nTake the next step.",
        "q\nKnown so far:\nfact a\nTake the next step.",
        "q\nKnown so far:\nfact a\nfact b\nfact c\nTake the next step.",
    ]
    assert told(scribes)[1].startswith(f"q\nKnown: fact a\nNew: {LOUD}b\n") and f"{LOUD}a" not in told(scribes)[1]
    assert LOUD not in told(acts)[0] and told(acts)[0].startswith("q\nKnown:\nfact a\nfact b\nfact c")
    assert stops(result) == ["nothing new", "critic accepted", "done"] and result.answer == "4"


def test_a_fact_is_written_once_whatever_its_case():
    team, _ = made(["x"] * 3, ["The sea is blue.", "the  SEA is blue\nIt is cold.", "It is cold"], ["4"], ["yes"])
    result = go(team)
    workspace = [message.parsed for message in result.messages if message.sender == "workspace"]
    assert workspace == [
        ("The sea is blue.",),
        ("The sea is blue.", "It is cold."),
        ("The sea is blue.", "It is cold."),
    ]


@pytest.mark.parametrize(("steps", "rounds"), [(1, 1), (2, 3), (5, 4)])
def test_calls_where_facts_never_end_and_the_critic_never_agrees(steps, rounds):
    facts = [f"fact {i}" for i in range(9)]
    team, models = made(["x"] * 9, facts, list("123456789"), ["[Disagree]"] * 9, steps=steps, rounds=rounds)
    result = go(team)
    assert [len(model.calls) for model in models] == [steps, steps, rounds, rounds]
    assert stops(result) == ["max rounds", "max rounds", "done"] and result.answer == str(rounds)


def test_the_jury_goes_on_until_the_critic_agrees_and_both_know_the_facts_throughout():
    team, (_, _, acts, criticises) = made(
        ["x", "x"], ["fact", "fact"], ["3", "4"], ["Too low. [Disagree]", "Right. [Agree]"]
    )
    result = go(team)
    assert (result.answer, len(acts.calls), len(criticises.calls)) == ("4", 2, 2)
    assert told(acts)[1] == (
        "q\nKnown:\nfact\nYou said: 3\ncritic: Too low. [Disagree]\nUse this and give your answer."
    )
    assert all(text.startswith("q\nKnown:\nfact\nProposed: ") for text in told(criticises))


@pytest.mark.parametrize("verdict", ["", "[Disagree]", "perhaps", "[Agree]? [Disagree]"])
def test_what_is_no_consent_is_not_taken_for_one(verdict):
    result = go(made(["x"], ["f"], ["3", "4"], [verdict] * 2, steps=1, rounds=2)[0])
    assert stops(result) == ["max rounds", "max rounds", "done"] and result.answer == "4"


def test_a_scribe_without_a_word_ends_the_search_and_the_jury_goes_by_the_task():
    team, (_, _, acts, _) = made(["x"], [" \n "], ["4"], ["[Agree]"])
    result = go(team)
    assert stops(result)[0] == "nothing new" and told(acts)[0] == "q" and result.answer == "4"


def test_an_explorer_that_fails_leaves_the_facts_that_there_are():
    team, (_, _, acts, _) = made(["x"], ["fact"], ["4"], ["[Agree]"])  # its script has one line
    result = go(team)
    assert stops(result) == ["done", "critic accepted", "done"] and "Known:\nfact" in told(acts)[0]
    assert result.answer == "4"


def test_an_actor_that_fails_is_not_judged():
    team, (_, _, _, criticises) = made(["x"], ["fact"], [], ["[Agree]"], steps=1)
    result = go(team)
    assert result.answer is None and criticises.calls == []


def test_a_prompt_grows_with_the_facts_and_not_with_what_was_said():
    """Control: were the explorer to hear its own words, its prompts would hold all of LOUD."""
    facts = [f"fact {i}" for i in range(20)]
    team, (explores, *_) = made([LOUD * 20] * 20, facts, ["4"], ["[Agree]"], steps=20)
    go(team)
    words = [len(text.split()) for text in told(explores)]
    assert [b - a for a, b in pairwise(words[1:])] == [2] * 18


@pytest.mark.parametrize("options", [{"steps": 0}, {"rounds": 0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(BadInput, match="expected"):
        made([], [], [], [], **options)
