"""The teams that loops train: what they are shown, and how they talk."""

from __future__ import annotations

import asyncio

import pytest

from orchestra.engine import run
from orchestra.errors import BadInput
from orchestra.evals import arith, hotpot
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.training._team import CHAIN, TALKER, Manner, cast, malt_team, roles, talkers
from orchestra.types import FrozenMap, Request, Task

SHOWN = arith("add2").sample(3, split="train")


def test_examples_show_the_strict_form_and_right_and_wrong_proposals() -> None:
    own = roles(SHOWN, Manner())
    assert [said for _, said in own["generator"].examples] == [f"Answer: {task.gold}" for task in SHOWN]
    assert [said for _, said in own["refiner"].examples] == [f"Answer: {task.gold}" for task in SHOWN]
    for task, (asked, said) in zip(SHOWN, own["verifier"].examples, strict=True):
        assert said == ("yes" if asked.endswith(f"Proposed: {task.gold}") else "no")
    assert {said for _, said in own["verifier"].examples} == {"yes", "no"}


def test_what_the_benchmark_calls_strictly_right_is_what_examples_show() -> None:
    for task, (_, said) in zip(SHOWN, roles(SHOWN, Manner())["generator"].examples, strict=True):
        assert arith("add2").score(task, said).strict == 1.0


@pytest.mark.parametrize("shown", [SHOWN[:1], [SHOWN[0], SHOWN[0]]])
def test_examples_of_one_answer_cannot_show_a_wrong_one(shown: list[Task]) -> None:
    with pytest.raises(BadInput, match="expected examples of different answers"):
        roles(shown, Manner())


def test_without_examples_roles_only_ask() -> None:
    assert not any(role.examples for role in roles([], Manner()).values())


def test_the_chain_passes_the_answer_and_the_verdict_on() -> None:
    def say(request: Request) -> str:
        asked = request.messages[-1][1]
        if "Verdict" in asked:
            return f"Answer: {asked.rpartition(' ')[2]}"
        return "no" if "Proposed" in asked else "Answer: 12"

    model = Scripted(say)
    team = malt_team(roles(SHOWN, Manner()), {name: Policy(name, model) for name in CHAIN})
    done = asyncio.run(run(team, Task("t", "What is 5 + 7?", gold="12", kind="number")))
    assert [d.request.messages[-1][1] for d in done.decisions] == [
        "What is 5 + 7?",
        "What is 5 + 7?\nProposed: 12",
        "What is 5 + 7?\nVerdict: no\nProposed: 12",
    ]
    assert done.leaf.content == "Answer: 12"


def test_talkers_hear_each_other_in_turn_and_stop_when_they_agree() -> None:
    def say(request: Request) -> str:
        asked = request.messages[-1][1]
        if "born in Rome" in asked:
            return "Who is it?" if "says:" not in asked else "Answer: Rome"
        return "Answer: Rome" if "Rome" in asked else "Answer: Ann"

    task = Task("t", "Where?", private=FrozenMap({"a": "Ann directed it.", "b": "Ann was born in Rome."}))
    team = talkers([], [task], Policy(TALKER, Scripted(say)), Manner(), rounds=3)
    done = asyncio.run(run(team, task))
    assert [(m.sender, m.content) for m in done.messages if m.origin == "agent"] == [
        ("a", "Answer: Ann"), ("b", "Answer: Rome"), ("a", "Answer: Rome"), ("b", "Answer: Rome"),
    ]  # fmt: skip
    assert done.leaf.stopped_by == "quorum"
    told = {d.agent: d.request.messages[-1][1] for d in done.decisions}
    assert "born in Rome" not in told["a"]
    assert "directed" not in told["b"]


def test_seats_are_those_of_the_tasks_and_share_one_policy() -> None:
    tasks = hotpot("bridge").sample(3, split="train", level=0)
    made = cast("talk", [], tasks, Manner(), 2)
    team = made.make({TALKER: Policy(TALKER, Scripted(["Answer: x"]))}, 0.7)
    assert {node.name for node in team.nodes} == set(tasks[0].private)
    assert {agent.policy.name for agent in team.agents()} == set(made.policies)
    assert {agent.role.temperature for agent in team.agents()} == {0.7}


def test_talkers_are_shown_how_to_tell_and_how_to_answer() -> None:
    shown = hotpot("bridge").sample(2, split="train", level=0)
    team = cast("talk", shown, shown, Manner(), 2).make({TALKER: Policy(TALKER, Scripted(["Answer: x"]))}, 0.0)
    told, answered, *_ = team.agents()[0].role.examples
    first, second = (shown[0].private[seat] for seat in sorted(shown[0].private))
    assert told[1] == first.replace("\n", " ")
    assert answered[1] == f"Answer: {shown[0].gold}"
    assert f"You alone know: {second}" in answered[0]
    assert f"{min(shown[0].private)} says: {told[1]}" in answered[0]
    assert shown[0].prompt in told[0]
