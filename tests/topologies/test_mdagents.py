"""MDAgents: where a task goes, who hears whom there, and what it costs."""

import asyncio
from collections import Counter

import pytest

from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import decider, generator, moderator, solver, triage
from orchestra.topologies import mdagents
from orchestra.types import Request, Usage


def made(branch, say=lambda request: "4", *, group=3, teams=6, **options):
    """A team whose triage prefers a branch by far, and whose agents speak by one script; those two models."""
    gate = Scripted(lambda r: f"not {branch}", preference=lambda r, option: 60.0 * (option == branch))
    model = Scripted(say)
    team = mdagents(
        triage(gate),
        generator(model),
        [solver(model, name=f"g{i}", persona=f"I am g{i}.") for i in range(1, group + 1)],
        moderator(model),
        [solver(model, name=f"t{i}", persona=f"I am t{i}.") for i in range(1, teams + 1)],
        decider(model),
        **options,
    )
    return team, model, gate


def go(team, **options):
    return asyncio.run(team.run("2 + 2?", **options))


def places(result):
    return [decision.path for decision in result.decisions]


def asked(result, node):
    """The last turns of a node's requests, in order."""
    return [d.request.messages[-1][1] for d in result.decisions if d.path.rpartition("/")[2] == node]


def test_solo_is_one_call_after_the_choice_and_hears_nothing_of_it():
    team, model, gate = made("solo")
    result = go(team)
    assert places(result) == ["mdagents/triage", "mdagents/solo"] and result.answer == "4"
    assert model.calls[0].messages == (("user", "2 + 2?"),)
    choice = result.decisions[0]
    assert choice.request.options == ("solo", "group", "teams") and choice.completion.text == "solo"
    assert [e.text for e in result.events if e.kind == "selection"] == ["solo"] and len(gate.calls) == 1


@pytest.mark.parametrize("branch", ["solo", "group", "teams"])
def test_what_the_router_would_say_in_words_is_never_read(branch):
    """Its script says `not solo`, which the public code routes to the branch that is named."""
    result = go(made(branch)[0])
    assert (result.messages[0].sender, result.messages[0].content) == ("triage", branch)
    assert places(result)[1].split("/")[1] == branch


def test_a_group_that_agrees_at_once_needs_no_moderator():
    result = go(made("group", group=4)[0])
    assert places(result)[1:] == [f"mdagents/group/g{i}" for i in range(1, 5)]
    assert [e.text for e in result.events if e.kind == "stop"] == ["quorum", "done"] and result.answer == "4"


@pytest.mark.parametrize(("size", "rounds"), [(2, 1), (3, 2), (3, 5), (5, 3)])
def test_calls_of_a_group_that_never_agrees(size, rounds):
    words = iter(range(1000))
    result = go(made("group", lambda r: str(next(words)), group=size, rounds=rounds)[0])
    assert result.usage.calls == 1 + size * rounds + rounds - 1
    assert Counter(path.rpartition("/")[2] for path in places(result))["moderator"] == rounds - 1
    assert [e.text for e in result.events if e.kind == "stop"] == ["max rounds", "done"]


def test_in_a_group_all_hear_their_peers_and_the_review_and_the_moderator_hears_all():
    def say(request: Request) -> str:
        text = request.messages[-1][1]
        return (
            "g2 forgot to carry."
            if "who is wrong" in text
            else "5"
            if "I am g2" in text and "You said" not in text
            else "4"
        )

    result = go(made("group", say)[0])
    assert [p.rpartition("/")[2] for p in places(result)] == ["triage", "g1", "g2", "g3", "moderator", "g1", "g2", "g3"]
    assert asked(result, "moderator") == [
        "2 + 2?\ng1: 4\ng2: 5\ng3: 4\nThey do not agree. In one sentence, who is wrong and why?"
    ]
    assert asked(result, "g2")[0] == "I am g2.\n2 + 2?"
    assert asked(result, "g2")[1] == (
        "I am g2.\n2 + 2?\nYou said: 5\ng1: 4\ng3: 4\nmoderator: g2 forgot to carry.\nUse this and give your answer."
    )
    assert result.answer == "4"


def test_a_lower_share_is_content_with_a_majority():
    say = lambda r: "5" if "I am g3" in r.messages[-1][1] else "4"  # noqa: E731
    for share, calls in ((0.5, 1 + 2), (0.99, 1 + 3 * 5 + 4)):
        result = go(made("group", say, share=share)[0])
        assert (result.usage.calls, result.answer) == (calls, "4")


def reporting(request: Request) -> str:
    """Everybody says who they are; the decider counts reports."""
    text = request.messages[-1][1]
    if "Weigh the reports" in text:
        return f"The answer is {text.count('Report of')}."
    return f"Finding of {text.partition('I am ')[2][:2]}. The answer is 4."


@pytest.mark.parametrize(("members", "size", "teams"), [(9, 3, 3), (6, 2, 3), (4, 4, 1), (5, 2, 3), (3, 1, 3)])
def test_every_report_reaches_the_decision(members, size, teams):
    """The public code passes on the first of three."""
    result = go(made("teams", reporting, teams=members, size=size)[0])
    assert result.answer == str(teams) and result.usage.calls == 1 + members + 1
    last = asked(result, "decider")[0]
    leads = [f"t{i}" for i in range(1, members + 1, size)]
    assert last == "\n".join(
        ["2 + 2?"]
        + [f"Report of team-{i}: Finding of {lead}. The answer is 4." for i, lead in enumerate(leads, start=1)]
        + ["Weigh the reports and give the final answer."]
    )


def test_a_lead_hears_its_members_and_a_team_the_reports_before_it():
    result = go(made("teams", reporting, teams=4, size=2)[0])
    assert asked(result, "t2") == ["I am t2.\n2 + 2?"]
    assert "t2: Finding of t2." in asked(result, "t1")[0]
    assert "team-1: Finding of t1." in asked(result, "t4")[0] and "t2" not in asked(result, "t4")[0]
    assert "team-1: Finding of t1." in asked(result, "t3")[0] and "t4: Finding of t4." in asked(result, "t3")[0]


def test_a_team_whose_lead_fails_is_missing_and_the_others_are_heard():
    def say(request: Request) -> str:
        if "I am t1." in request.messages[-1][1]:
            raise ValueError("lost")
        return reporting(request)

    result = go(made("teams", say)[0])
    assert result.answer == "2" and result.error is None and "Finding of t4" in asked(result, "decider")[0]


def test_words_of_others_reach_the_branch_where_it_is_a_node_of_a_team():
    """Only the router's own word is left out."""
    from orchestra.topologies import chain

    team, model, _ = made("group")
    first = generator(Scripted(["It is 7."]), name="first")
    asyncio.run(chain(first, team).run("2 + 2?"))
    assert all(
        "first: It is 7." in call.messages[-1][1] and "triage" not in call.messages[-1][1] for call in model.calls
    )


def test_the_choice_is_made_once_by_weight():
    """At equal preference all branches occur, and each run has one."""
    model = Scripted(lambda r: "4")
    agents = [solver(model, name=f"n{i}") for i in range(3)]
    team = mdagents(triage(model), generator(model), agents, moderator(model), agents, decider(model))
    chosen = Counter(go(team, seed=seed).messages[0].content for seed in range(60))
    assert chosen.keys() == {"solo", "group", "teams"} and min(chosen.values()) >= 10


def test_a_dead_router_leaves_the_team_silent():
    def dead(request, option):
        raise ValueError("no scores")

    model = Scripted(lambda r: "4")
    agents = [solver(model, name="n")]
    team = mdagents(
        triage(Scripted([], preference=dead)), generator(model), agents, moderator(model), agents, decider(model)
    )
    result = go(team)
    assert result.answer is None and "no scores" in result.error and model.calls == [] and result.waste == Usage()


@pytest.mark.parametrize("options", [{"size": 0}, {"group": 0}, {"teams": 0}, {"rounds": 0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(BadInput, match="expected"):
        made("solo", **options)
