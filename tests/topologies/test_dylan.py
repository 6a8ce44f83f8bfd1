"""DyLAN by hand: calls for scripted answers, thresholds, that the ranked speak and what they read, and ratings."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_topology
from orchestra.errors import BadInput
from orchestra.evaluation.contribution.importance import importance
from orchestra.models.scripted import Scripted
from orchestra.roles import peer, ranker
from orchestra.team import Agent, Team, TopK
from orchestra.team.ranking import Rated
from orchestra.topologies import dylan
from orchestra.trajectory.codec import dump, load
from orchestra.trajectory.trajectory import Trajectory

NAMES = ["a", "b", "c", "d"]


def team(answers, *, best="ab", ratings=None, by_name=None, **options):
    """Agents that say their answers, one a round, and a ranker that finds those in `best` best, in this order.

    They rate in the words of `ratings`, or what they hear from each as `by_name` says, in the second round.
    """
    spoke = Counter()

    def say(request):
        text = request.messages[-1][1]
        name = text.partition("\n")[0]
        number, spoke[name] = spoke[name], spoke[name] + 1
        marks = "" if ratings is None or not number else f"\nRatings: {ratings[name]}"
        if number == 1 and by_name and name in by_name:
            shown = re.findall(r"^\d+\. .*, says (\w+)", text, re.MULTILINE)
            marks = "\nRatings: " + " ".join(str(by_name[name][other]) for other in shown)
        return f"It is {answers[name][number]}, says {name}.{marks}"

    def rank(request):
        shown = re.findall(r"^(\d+)\. It is \d+, says (\w+)", request.messages[-1][1], re.MULTILINE)
        place = {name: number for number, name in shown}
        return " ".join(place[name] for name in best)

    models = Scripted(say), Scripted(rank)
    agents = [peer(models[0], name=name, persona=name) for name in answers]
    return dylan(agents, ranker=ranker(models[1]), **options), models


def run(made: Team, **options) -> Trajectory:
    return asyncio.run(made.run("What is it?", **options))


def lines(seven: str, *rest: str):
    return dict(zip(NAMES, [seven, *rest], strict=True))


CASES = [
    (lines("7", "7", "7", "8"), 3, "quorum"),
    (lines("7", "8", "7", "7"), 4, "quorum"),
    (lines("78", "88", "98", "08"), 7, "quorum"),
    (lines("78", "81", "98", "08"), 8, "quorum"),
    (lines("74", "84", "93", "02"), 9, "quorum"),
    (lines("715", "825", "93", "04"), 11, "quorum"),
    (lines("715", "826", "93", "04"), 11, "max rounds"),
]


@pytest.mark.parametrize(("answers", "calls", "stopped"), CASES)
@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
@pytest.mark.parametrize("variant", ["paper", "repo"])
def test_calls(answers, calls, stopped, schedule, variant):
    made, models = team(answers, variant=variant)
    result = run(made, schedule=schedule)
    assert (result.usage.calls, result.stopped_by) == (calls, stopped)
    if schedule == "sequential":
        assert sum(len(model.calls) for model in models) == calls


@pytest.mark.parametrize(("n", "needed"), [(2, 2), (3, 3), (4, 3), (7, 5)])
def test_thresholds(n, needed):
    names = "abcdefg"[:n]
    for equal in (needed - 1, needed):
        answers = {name: "7" * 3 if i < equal else f"{i}" * 3 for i, name in enumerate(names)}
        assert (run(team(answers)[0]).usage.calls == needed) == (equal == needed)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_so_few_are_not_ranked(n):
    answers = {name: [f"{i}{round}" for round in range(3)] for i, name in enumerate(NAMES[:n], start=1)}
    made, models = team(answers)
    result = run(made)
    assert models[1].calls == [] and result.usage.calls == (1 if n == 1 else 3 * n)


def spoke(result, number):
    return [d.agent for d in result.decisions if d.round == number and d.role == "peer"]


def heard(result, number):
    senders = {message.id: message.sender for message in result.messages}
    seen = [d.saw for d in result.decisions if d.round == number and d.role == "peer"]
    return [{senders[id.partition(">overheard")[0]] for id in saw} for saw in seen]


@given(best=st.permutations(NAMES), keep=st.integers(1, 3), rounds=st.integers(3, 5))
def test_the_ranked_speak_and_read_each_other_for_good(best, keep, rounds):
    answers = {name: [f"{i}{round}" for round in range(5)] for i, name in enumerate(NAMES, start=1)}
    for variant in ("paper", "repo"):
        made, models = team(answers, best=best, keep=keep, rounds=rounds, variant=variant)
        result, kept = run(made), sorted(best[:keep])
        assert len(models[1].calls) == 1
        if keep == 1:
            assert result.stopped_by == "quorum" and result.usage.calls == 9  # one agrees with itself
            continue
        assert result.usage.calls == 9 + keep * (rounds - 2)
        assert spoke(result, 2) == kept
        assert heard(result, 2) == [set(kept if variant == "paper" else NAMES)] * keep
        for later in range(3, rounds):
            assert spoke(result, later) == kept and heard(result, later) == [set(kept)] * keep


def test_what_is_overheard_does_not_vote():
    """Three of the second round agree on nothing, and the two that are held back must not make a majority."""
    answers = lines("715", "826", "93", "03")
    result = run(team(answers, variant="repo")[0])
    assert (result.stopped_by, result.answer) == ("max rounds", "5")


def test_control_chance_decides_who_speaks_where_places_are_taken_for_names(monkeypatch):
    """The public code's mistake, put into the ranker, shows in the same figures."""
    answers = {name: [f"{i}{round}" for round in range(3)] for i, name in enumerate(NAMES, start=1)}
    ranked = TopK.__call__

    async def mixed(self, view, ctx):
        order = ctx.rng().sample(NAMES, 4)
        return [order[NAMES.index(name)] for name in await ranked(self, view, ctx)]

    def speakers():
        return {tuple(spoke(run(team(answers)[0], seed=seed), 2)) for seed in range(5)}

    assert speakers() == {("a", "b")}
    monkeypatch.setattr(TopK, "__call__", mixed)
    assert len(speakers()) > 1


ONE_BY_ONE = lines("715", "826", "93", "04")


def test_ratings_are_by_name_though_they_are_asked_for_in_shuffled_order():
    made, models = team(ONE_BY_ONE, ratings={"a": "5 1 2 3", "b": "[4, 4, 4, 1]", "c": "1 1", "d": "none"})
    result = run(made)
    second = {message.sender: message for message in result.messages if message.round == 1 and message.sender in NAMES}
    assert all(isinstance(message.parsed, Rated) for message in second.values())
    orders = set()
    for call in models[0].calls:
        name, *shown = call.messages[-1][1].splitlines()
        order = [match[1] for line in shown if (match := re.match(r"\d\. It is \d, says (\w)", line))]
        if len(order) == 4 and name in "ab":
            marks = {"a": (5.0, 1.0, 2.0, 3.0), "b": (4.0, 4.0, 4.0, 1.0)}[name]
            assert second[name].parsed.ratings == dict(zip(order, marks, strict=True))
            orders.add(tuple(order))
    assert len(orders) == 2 and tuple(NAMES) not in orders
    assert second["c"].parsed.ratings == second["d"].parsed.ratings == {}
    assert [m.answer for m in second.values()] == ["1", "2", "3", "4"]


def test_the_first_round_rates_nobody_and_is_not_asked_to():
    made, models = team(ONE_BY_ONE, ratings=dict.fromkeys(NAMES, "5 5 5 5"))
    result = run(made)
    asked = [call.messages[-1][1] for call in models[0].calls]
    assert [("Ratings" in text) for text in asked] == [False] * 4 + [True] * 6
    assert all(m.parsed.ratings == {} for m in result.messages if m.round == 0 and m.sender in NAMES)


def test_importance_by_hand():
    """w = mark / sum of the reader's marks; the last layer 1/m for those who gave the answer; then backwards."""
    ratings = {name: {"a": 5, "b": 1, "c": 2, "d": 2} for name in "ab"}
    result = run(team(ONE_BY_ONE, by_name=ratings)[0])
    assert (result.answer, result.usage.calls) == ("5", 11)
    third = {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}  # the answer is that of a alone
    second = {"a": 0.5, "b": 0.5, "c": 0.0, "d": 0.0}  # whom a heard, and rated nobody
    first = {"a": 0.5, "b": 0.1, "c": 0.2, "d": 0.2}  # a and b each gave ten marks, in these shares
    expected = {name: third[name] + second[name] + first[name] for name in NAMES}
    assert importance(result).agents == pytest.approx(expected)


def test_ratings_are_kept_in_a_stored_run():
    result = run(team(ONE_BY_ONE, ratings=dict.fromkeys(NAMES, "5 5 5 5"))[0])
    again = load(dump(result), Trajectory)
    rated = [message.parsed["ratings"] for message in again.messages if message.round == 1 and message.sender in NAMES]
    assert rated == [dict.fromkeys(NAMES, 5.0)] * 4


def test_a_ranker_that_fails_leaves_the_votes_as_they_stand():
    made, _ = team(lines("71", "82", "92", "04"))
    broken = Scripted([])
    result = run(dylan([node.actor.agent for node in made.nodes[:4]], ranker=ranker(broken)))
    assert (result.answer, result.usage.calls, result.stopped_by) == ("2", 9, "done")


@pytest.mark.parametrize("options", [{"keep": 0}, {"rounds": 0}, {"variant": "arxiv"}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(BadInput, match="expected"):
        team(ONE_BY_ONE, **options)
    with pytest.raises(BadInput, match="of 0 agents"):
        dylan([], ranker=ranker(Scripted([])))


ROLES = {"agents": ("peer",) * 5, "ranker": ("ranker",)}


def published(agents: Sequence[Agent], *, ranker: Agent) -> Team:
    return dylan(agents, ranker=ranker, variant="repo", rounds=4, keep=3)


def test_the_contract_as_published():
    check_topology(published)
