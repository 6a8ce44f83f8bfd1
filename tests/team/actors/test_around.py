"""Actors around actors nest in any order: one transcript whatever is slow, resumed from any prefix, and under a cap."""

import asyncio
from dataclasses import dataclass, replace

import pytest
import small_teams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_runs import delayed, transcript

from orchestra.engine import START, Budget, Edge, Full, MaxRounds, Node, grow, majority, run
from orchestra.errors import CallFailed, Unparseable
from orchestra.models.scripted import Scripted
from orchestra.team import Team, register
from orchestra.team.actors.around import bound_of, speaker_of
from orchestra.team.actors.fallback import Fallback
from orchestra.team.actors.mapping import Map
from orchestra.team.actors.retry import Retry
from orchestra.team.actors.timed import Timed
from orchestra.team.actors.told import Told
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Reply, Request, Usage, View

QUIET = {"max_examples": 60, "deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


async def flaky(requests):
    """Completions made from the seed alone; for two seeds in five the call fails, late."""
    drawn = await small_teams.draw(requests)
    if any(request.seed % 5 < 2 for request in requests):
        raise CallFailed("busy")
    return drawn


@dataclass(frozen=True)
class Flaky:
    """An actor that makes some calls, each of which may fail, and says what depends on all it saw."""

    calls: int = 1

    async def __call__(self, view, ctx):
        heard = ",".join(m.content for m in view.inbox)[-40:]
        drawn = [
            (await ctx.do(Request((("user", f"{view.prompt}{heard}{i}"),)), flaky)).text for i in range(self.calls)
        ]
        return Reply(f"{view.seat}{view.round}{''.join(drawn)}", str(int(ctx.rng().random() * 3)))


def busy(request):
    """Fails for one seed in four, and says what cannot be read for another."""
    if request.seed % 4 == 0:
        raise CallFailed("busy")
    return "?" if request.seed % 4 == 1 else str(request.seed % 3)


def strict(said):
    if said == "?":
        raise Unparseable(f"expected an answer, got {said!r}")
    return said


KNOWN = replace(small_teams.ANSWERER, output=strict, repairs=1)
"""A role whose agents know their worst case."""


def late(request):
    return small_teams._delays[-1](request) if small_teams._delays else 0.0


@register("test_around.items")
def items(view):
    return [f"{view.seat}{i}" for i in range(len(view.inbox) % 3 + 1)]


@st.composite
def actors(draw, depth=3):
    around = ["retry", "timed", "fallback", "told", "map", "team"]
    kind = draw(st.sampled_from(["flaky", "known", *(around if depth else ())]))
    inner = actors(depth - 1)
    match kind:
        case "known":
            return KNOWN(Scripted(busy, delay=late), name="known")
        case "retry":
            return Retry(draw(inner), draw(st.integers(1, 3)), base=0)
        case "timed":
            return Timed(draw(inner), seconds=60)
        case "fallback":
            return Fallback(draw(st.lists(inner, min_size=1, max_size=2)))
        case "told":
            return Told(draw(inner), "another task")
        case "map":
            return Map(draw(inner), items)
        case "team":
            nodes = [Node(n, draw(inner), on_error=draw(st.sampled_from(["abstain", "fail"]))) for n in "xy"]
            return Team("inner", nodes, [Edge(START, "x"), Edge(START, "y")], output=majority())
    return Flaky(draw(st.integers(0, 2)))


@st.composite
def teams(draw):
    nodes = [Node(n, draw(actors())) for n in "abc"]
    edges = [*(Edge(START, n) for n in "abc"), Edge("a", "c"), Edge("c", "a", "temporal"), Edge("b", "b", "temporal")]
    return Team("t", nodes, edges, MaxRounds(2), majority())


def go(team, seed, schedule="sequential", delays=None, **options):
    small_teams._delays[:] = [delayed(delays)] if delays is not None else []
    return asyncio.run(run(team, "q", seed=seed, schedule=schedule, **options))


@settings(**QUIET)
@given(teams(), st.integers(0, 1 << 20))
def test_one_transcript(team, seed):
    plain = transcript(go(team, seed))
    for schedule in ("sequential", "speculative"):
        assert transcript(go(team, seed, schedule, delays=seed + 1)) == plain


@settings(**QUIET)
@given(teams(), st.integers(0, 1 << 20), st.randoms(use_true_random=False))
def test_resumed_from_any_prefix_it_is_the_same_run(team, seed, dice):
    journal, part = MemoryJournal(), MemoryJournal()
    whole = go(team, seed, journal=journal)
    part.entries = dict(list(journal.entries.items())[: dice.randint(0, len(journal.entries))])
    kept = len(part.entries)
    assert transcript(go(team, seed, "speculative", delays=seed, journal=part)) == transcript(whole)
    assert set(part.entries) >= set(journal.entries) and kept <= len(part.entries)


@settings(**{**QUIET, "max_examples": 20})
@given(teams(), st.integers(0, 1 << 20))
def test_rebuilt_from_the_journal_after_every_effect_it_is_the_same_run(team, seed):
    assert transcript(go(team, seed, rebuild=True)) == transcript(go(team, seed))


@settings(**QUIET)
@given(teams(), st.integers(0, 1 << 20), st.integers(1, 20))
def test_a_cap_is_never_passed_and_nothing_stays_held(team, seed, cap):
    ledgers = []

    async def watched(view, ctx):
        ledgers.append(ctx.ledger)
        return await team(view, ctx)

    made = [go(watched, seed, delays=delays, budget=Budget(calls=cap)) for delays in (None, seed, seed + 1)]
    assert len({transcript(result) for result in made}) == 1
    for result, ledger in zip(made, ledgers, strict=True):
        assert result.usage.calls == ledger.spent.calls <= cap and ledger.held == Usage()


def test_a_random_team_does_fail_and_retry():
    """The control: what the properties hold for does happen."""
    team = Team("t", [Node("a", Retry(Fallback([Flaky(2), Flaky()]), 2, base=0))], [Edge(START, "a")])
    made = [go(team, seed) for seed in range(100)]
    paths = {d.path for result in made for d in result.decisions}
    assert {"t/a", "t/a/fallback#2", "t/a/try#2", "t/a/try#2/fallback#2"} <= paths
    assert {len(result.messages) for result in made} == {0, 1}


@dataclass(frozen=True)
class Greedy:
    """Wants more than there is."""

    async def __call__(self, view, ctx):
        await ctx.do(Request((("user", "much"),)), small_teams.draw, bound=Usage(calls=9))
        return Reply("said")


DEEP = Team("deep", [Node("x", Greedy())], [Edge(START, "x")])


@dataclass(frozen=True)
class Late:
    """Fails in the activation itself; further down it is the team."""

    async def __call__(self, view, ctx):
        if ctx.path == "t/a":
            raise ValueError("not here")
        return await DEEP(view, ctx)


@pytest.mark.parametrize("actor", [DEEP, Retry(Late(), base=0), Fallback([Late(), DEEP])])
def test_a_budget_that_is_spent_further_down_ends_the_teams_above(actor):
    """As it does where the team is called directly, though what comes after it would fit."""
    free = Scripted(["7"])
    nodes = [Node("a", actor), Node("b", small_teams.agent(free, "b"))]
    made = asyncio.run(run(Team("t", nodes, [Edge(START, "a"), Edge("a", "b")]), "q", budget=Budget(calls=2)))
    assert (made.stopped_by, made.usage.calls, free.calls) == ("budget", 0, [])


def test_a_tree_branches_through_them():
    """Pauses and failures are drawn once: two draws of each node that answered, all of them leaves."""
    model = Scripted(lambda r: str(r.seed % 9))
    a, b = small_teams.agent(model, "a"), small_teams.agent(model, "b")
    team = Team("t", [Node("a", Retry(Fallback([Broken(), a]), base=0)), Node("b", Timed(b, 9))], [
        Edge(START, "a"), Edge("a", "b")])  # fmt: skip
    tree = asyncio.run(grow(team, "q", Full(2)))
    assert len(tree.leaves) == 4 and [d.path for d in tree.decisions] == ["t/a/fallback#2"] * 2 + ["t/b"] * 4
    assert all(leaf.error is None and leaf.usage.calls == 2 for leaf in tree.leaves)


@dataclass(frozen=True)
class Broken:
    async def __call__(self, view, ctx):
        raise ValueError("broken")


def test_all_of_them_are_saved_and_loaded():
    model = Scripted([])
    a, b = small_teams.agent(model, "a"), small_teams.agent(model, "b")
    group = Team("group", [Node("x", a)], [Edge(START, "x")])
    made = [
        Retry(a, 5, longest=2),
        Timed(Retry(a), idle=2),
        Fallback([a, Timed(b, 3)]),
        Told(Fallback([a, b]), "x"),
        Map(a),
    ]
    made += [Retry(group), Timed(Retry(group), 2), Fallback([a, group]), Told(group, "x"), Map(Timed(group, 1), items)]
    for actor in made:
        team = Team("t", [Node("n", actor)], [Edge(START, "n")])
        again = Team.load(team.save(), {"p": a.policy})
        assert again == team and again.digest == team.digest and type(again.nodes[0].actor) is type(actor)
    known = [bound_of(actor, View("q")) is not None for actor in made]
    assert known == [True] * 4 + [False] * 6
    assert [actor.name for actor in made if not isinstance(actor, Map)] == ["a"] * 4 + ["group", "group", "a", "group"]


def test_who_speaks_is_asked_only_where_the_worst_case_is_known():
    a = small_teams.agent(Scripted([]), "a")
    assert speaker_of(a) == a.speaker() == Timed(Retry(Told(Fallback([a]), "x")), 1).speaker()
    for actor in (Map(a), Retry(Map(a)), Told(Timed(Map(a), 1), "x"), Fallback([Map(a), a])):
        assert bound_of(actor, View("q")) is None
        with pytest.raises(TypeError, match=r"Map\(.* cannot say who makes its calls"):
            speaker_of(actor)
