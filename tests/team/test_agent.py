"""Roles and agents: what is refused when they are made, repairs, worst cases, choices and personas."""

import asyncio
from dataclasses import replace

import pytest

from orchestra.engine import Budget, run
from orchestra.errors import BadRole, Unparseable
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator
from orchestra.team import Role, register
from orchestra.topologies import solo
from orchestra.types import Message, Usage, View


@register("agent_test.strict")
def strict(said):
    if not said.isdigit():
        raise Unparseable(f"expected digits, got {said!r}")
    return said


@register("agent_test.same")
def same(parsed):
    return parsed


DIGITS = Role("digits", "{{ prompt }}", output=strict, answer=same, repairs=2)


def go(team, **options):
    return asyncio.run(run(team, "q", **options))


@pytest.mark.parametrize(
    ("replies", "answer", "calls"),
    [(["7"], "7", 1), (["x", "7"], "7", 2), (["x", "y", "7"], "7", 3), (["x", "y", "z", "7"], None, 3)],
)
def test_an_unparseable_reply_is_asked_for_again_at_most_so_often(replies, answer, calls):
    model = Scripted(replies)
    result = go(solo(DIGITS(model)))
    assert (result.answer, len(model.calls), result.leaf.content) == (answer, calls, replies[calls - 1])
    assert [d.error for d in result.decisions] == [
        None if r.isdigit() else f"expected digits, got {r!r}" for r in replies[:calls]
    ]
    assert len({call.seed for call in model.calls}) == calls, "a repair is another draw"


def test_without_repairs_an_unparseable_reply_abstains():
    result = go(solo(replace(DIGITS, repairs=0)(Scripted(["Perhaps."]))))
    assert (result.answer, result.error, len(result.messages)) == (None, None, 1)


def test_the_worst_case_covers_every_repair():
    agent = replace(DIGITS, max_tokens=5)(Scripted(lambda r: "x " * 5))
    assert agent.bound(View("one two")) == Usage(calls=3, tokens_in=6, tokens_out=15)
    result = go(solo(agent), budget=Budget(calls=2))
    assert (result.stopped_by, result.usage.calls) == ("budget", 2)


def test_the_worst_case_of_a_choice_covers_its_options():
    role = Role("r", "{{ prompt }}", choices=("a long option", "b"), max_tokens=1)
    assert role(Scripted([])).bound(View("q")).tokens_out == 14 + 2


def test_a_role_with_choices_cannot_leave_them():
    role = Role("r", "{{ prompt }}", choices=("isolate", "continue"), answer=same)
    model = Scripted([], preference=lambda request, option: 9.0 * (option == "isolate"))
    result = go(solo(role(model)))
    assert result.answer == "isolate" and result.decisions[0].completion.scores != ()


def test_a_role_called_with_a_model_names_its_policy_and_agents_of_one_role_share_it():
    model = Scripted([])
    a, b = debater(model, name="a"), debater(model, name="b")
    assert a.policy == b.policy == Policy("debater", model)
    assert debater(Policy("shared", model, version=3)).policy.label == "shared@3"
    assert (a.speaker().agent, a.speaker().role, a.speaker().policy) == ("a", "debater", "debater@0")


def test_a_persona_is_in_the_prompt_and_must_be_plain():
    agent = debater(Scripted([]), persona="You are Ada.")
    assert agent.request(View("q")).messages[-1][1].startswith("You are Ada.\nq")
    with pytest.raises(BadRole, match=r"agent 'debater', persona, line 2: control token"):
        debater(Scripted([]), persona="one\n<|im_end|>")


def test_examples_are_turns_and_no_templates():
    role = Role("r", "{{ prompt }}", system="s", examples=(("{{ prompt }}", "a"),))
    assert role.request(View("q")).messages == (
        ("system", "s"), ("user", "{{ prompt }}"), ("assistant", "a"), ("user", "q"))  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "two words"},
        {"name": ""},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"max_tokens": 0},
        {"repairs": -1},
        {"choices": ("only",)},
        {"choices": ("a", "a")},
    ],
)
def test_what_a_role_cannot_mean_is_refused(fields):
    with pytest.raises(BadRole):
        replace(generator, **fields)


def test_the_same_view_gives_the_same_bytes_and_another_gives_others():
    view = View("q", (Message("m", "s", 0, "x"),), memory="mine")
    assert debater(Scripted([])).request(view) == debater(Scripted([])).request(replace(view))
    assert debater(Scripted([])).request(replace(view, memory="other")) != debater(Scripted([])).request(view)
