"""Roles and agents: what is refused when they are made, repairs, worst cases, choices and personas."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from orchestra.engine import START, Budget, Edge, MaxRounds, Node, majority, run
from orchestra.errors import BadRole, BadTeam, Unparseable
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator
from orchestra.team import Role, Team, register
from orchestra.team.repair import LINE, repair
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


def test_a_repair_shows_what_was_said_and_what_was_wrong_with_it():
    """A model that mends its reply only when it is told so is understood; blind repetition would never be."""

    def say(request):
        return "7" if "expected digits, got 'seven" in request.messages[-1][1] else f"seven {len(model.calls)}"

    model = Scripted(say)
    assert go(solo(DIGITS(model))).answer == "7"
    first, second = (call.messages for call in model.calls)
    assert first == DIGITS.request(View("q")).messages
    line = "This could not be read: expected digits, got 'seven 1'. Reply once more, in the form that was asked for."
    assert second == (*first, ("assistant", "seven 1"), ("user", line))


def test_repairs_are_one_conversation_and_keep_the_names_of_effects():
    model = Scripted(["x", "y", "7"])
    result = go(solo(DIGITS(model)))
    turns = [call.messages for call in model.calls]
    assert [len(messages) for messages in turns] == [1, 3, 5]
    assert turns[2][:3] == turns[1] and turns[1][:1] == turns[0]
    other = go(solo(replace(DIGITS, prompt="Another {{ prompt }}")(Scripted(["x", "y", "7"]))))
    assert [d.key for d in result.decisions] == [d.key for d in other.decisions]


@pytest.mark.parametrize(
    ("reply", "count"), [("x", 1), ("\n" * 9 + "x \ud800{}", 1), ("é" * 3000, 1), ("x " * 999, 999)]
)
def test_a_repair_adds_at_most_the_reply_and_a_line(reply, count):
    request = DIGITS.request(View("q"))
    longer = repair(request, reply, Unparseable(f"expected digits,\n got {reply}"))
    (asked, said), (again, line) = longer.messages[1:]
    assert (asked, said, again) == ("assistant", reply, "user")
    assert (
        len(line.encode()) <= LINE
        and "\n" not in line
        and line.startswith("This could not be read: expected digits, got ")
    )
    model = Scripted([])
    assert model.count(longer) <= model.count(request) + count + LINE


def test_the_worst_case_covers_every_repair():
    agent = replace(DIGITS, max_tokens=5)(Scripted(lambda r: "x " * 5))
    grown = 5 + LINE
    assert agent.bound(View("one two")) == Usage(calls=3, tokens_in=2 + (2 + grown) + (2 + 2 * grown), tokens_out=15)
    result = go(solo(agent), budget=Budget(calls=2))
    assert (result.stopped_by, result.usage.calls) == ("budget", 2)


class Remote(Scripted):
    """Counts bytes beforehand, as where the tokenizer is not known, and spends words."""

    def count(self, request):
        return sum(len(content.encode()) for _, content in request.messages)

    async def generate(self, requests):
        made = await super().generate(requests)
        spent = [Usage(1, Scripted.count(self, r), len(c.text.split())) for r, c in zip(requests, made, strict=True)]
        return [replace(completion, usage=usage) for completion, usage in zip(made, spent, strict=True)]


@pytest.mark.parametrize("kind", [Scripted, Remote])
@pytest.mark.parametrize("cap", range(1, 6000, 350))
def test_under_a_budget_of_tokens_repairs_cost_the_same_side_by_side_and_one_after_another(cap, kind):
    """One agent alone knows no worst case, so nothing runs ahead; who speaks is the same."""
    transcripts = []
    for delay, alone in itertools.product((None, lambda r: (r.seed % 3) / 3000), (True, False)):
        agent = replace(DIGITS, max_tokens=4)(kind(by_seed, delay=delay))
        actor = (lambda view, ctx, agent=agent: agent(view, ctx)) if alone else agent
        nodes = [Node(n, actor) for n in "abcde"]
        edges = [*(Edge(START, n) for n in "abcde"), Edge("a", "e"), Edge("b", "b", "temporal")]
        result = go(Team("t", nodes, edges, MaxRounds(2), majority()), seed=cap, budget=Budget(tokens=cap))
        assert result.usage.tokens <= cap
        transcripts.append(repr((result.decisions, result.messages, result.leaves, result.events)))
    assert len(set(transcripts)) == 1


def by_seed(request):
    """Digits in half of the draws, else as many words as it may say, and long ones."""
    return str(request.seed % 7) if request.seed % 2 else " ".join(["word" * 99] * 4)


def test_control_a_crowd_does_repair_and_runs_out():
    agent = replace(DIGITS, max_tokens=4)(Scripted(by_seed))
    made = [go(solo(agent), seed=seed, budget=Budget(tokens=700)) for seed in range(40)]
    assert {len(result.decisions) for result in made} == {1, 2} and {r.stopped_by for r in made} == {"done", "budget"}


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


def test_what_a_model_cannot_do_is_told_before_the_first_call():
    """A closed choice needs scores, a grammar needs a sampler that holds to it; every agent that lacks one is named."""
    mute = Scripted(["4"])
    mute.capabilities = frozenset()
    chooser = Role("chooser", "Choose.", choices=("a", "b"))(mute, name="ann")
    former = Role("former", "Say.", grammar='{"regex": "[0-9]+"}')(mute, name="bob")
    team = Team("t", [Node(a.name, a) for a in (chooser, former)], [Edge(START, "ann"), Edge(START, "bob")])
    with pytest.raises(BadTeam, match=r"agent 'ann' needs score, which .*; agent 'bob' needs grammar, which"):
        team.run("q")
    assert mute.calls == []


def test_a_role_has_choices_or_a_grammar():
    with pytest.raises(BadRole, match="has choices and a grammar"):
        Role("r", "p", choices=("a", "b"), grammar='{"regex": "a"}')


def test_a_private_line_that_no_template_places_follows_the_prompt():
    view = View("Who?", private="It was Ann.")
    assert Role("a", "Task: {{ prompt }} Answer.").request(view).messages == (
        ("user", "Task: Who?\nIt was Ann. Answer."),
    )
    placed = Role("b", "{{ private }}: {{ prompt }}")
    assert placed.request(view).messages == (("user", "It was Ann.: Who?"),)
    told = Role("c", "{{ prompt }}", system="You know: {{ private }}")
    assert told.request(view).messages == (("system", "You know: It was Ann."), ("user", "Who?"))
    assert Role("d", "{{ prompt }}").request(View("Who?")).messages == (("user", "Who?"),)
