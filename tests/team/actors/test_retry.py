"""Retry: full jitter, keyed and journaled pauses, names of effects, what is retried, and the budget."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from small_teams import ANSWERER, agent

from orchestra import errors
from orchestra.digest import digest
from orchestra.engine import START, Actor, Budget, Edge, MaxRounds, Node, Quorum, last, majority, run
from orchestra.errors import BadTeam, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.team.actors.retry import Retry
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Key, Reply, Task, Usage, View

CAPS = (0.25e-3, 0.5e-3, 1e-3, 1.5e-3, 1.5e-3)
"""Of the pauses of `patient`: 0.25 ms doubled, at most 1.5 ms."""


def patient(actor, attempts=6):
    return Retry(actor, attempts, base=CAPS[0], longest=1.5e-3)


def failing(times):
    """A model whose first calls fail."""
    asked = []

    def say(request):
        asked.append(request)
        if len(asked) <= times:
            raise CallFailed("busy")
        return str(len(asked))

    return Scripted(say)


def alone(actor, **options):
    return asyncio.run(run(Team("t", [Node("a", actor)], [Edge(START, "a")]), "q", **options))


def pauses(journal):
    effects = [entry.effect["effect"] for entry in journal.entries.values()]
    return [effect["seconds"] for effect in effects if "seconds" in effect]


def test_attempts_are_counted_and_each_failure_is_on_the_record():
    model = failing(2)
    made = alone(patient(agent(model, "a")))
    assert (made.answer, made.usage.calls, len(model.calls)) == ("3", 3, 3)
    assert [d.error for d in made.decisions] == ["busy", "busy", None]
    assert [d.path for d in made.decisions] == ["t/a", "t/a/try#2", "t/a/try#3"]
    assert [e.text for e in made.events if "attempt" in e.text] == [
        "attempt 1 of 6: CallFailed: busy", "attempt 2 of 6: CallFailed: busy"]  # fmt: skip


def test_the_last_failure_is_raised():
    model = failing(9)
    made = alone(patient(agent(model, "a"), 3))
    assert (len(model.calls), made.usage.calls, made.messages, made.error) == (3, 3, (), "busy")


def test_a_retry_that_is_not_needed_changes_nothing_but_the_team():
    plain, tried = (alone(make(agent(Scripted(["7"]), "a"))) for make in (lambda a: a, patient))
    assert (tried.decisions, tried.messages, tried.leaves) == (plain.decisions, plain.messages, plain.leaves)
    assert patient(agent(Scripted([]), "a")).name == "a"


def gap(found):
    """Largest distance between the distribution of numbers and the uniform one in [0, 1)."""
    ranked = sorted(found)
    return max(abs(value - (i + 0.5) / len(ranked)) for i, value in enumerate(ranked))


def test_pauses_are_uniform_below_their_cap():
    drawn = [[] for _ in CAPS]
    for seed in range(120):
        journal = MemoryJournal()
        alone(patient(agent(failing(9), "a")), seed=seed, journal=journal)
        for number, seconds in enumerate(pauses(journal)):
            drawn[number].append(seconds / CAPS[number])
    shares = [share for row in drawn for share in row]
    assert len(shares) == 600 and 0 <= min(shares) < 0.02 and 0.98 < max(shares) < 1
    assert all(gap(row) < 0.15 for row in drawn)  # Kolmogorov: above 0.148 in 1 % of fair samples of 120
    assert gap([0.5 + share / 2 for share in drawn[0]]) > 0.3  # the control: half of the pause fixed


def test_pauses_are_named_by_their_past_and_not_drawn_again():
    first, again, other = MemoryJournal(), MemoryJournal(), MemoryJournal()
    for journal, seed in ((first, 1), (again, 1), (other, 2)):
        alone(patient(agent(failing(9), "a")), seed=seed, journal=journal)
    assert pauses(first) == pauses(again) and len(set(pauses(first) + pauses(other))) == 10


def test_a_resumed_run_neither_waits_nor_calls_again():
    journal = MemoryJournal()
    slow = Retry(agent(failing(1), "a"), base=1e-3)
    first = alone(slow, journal=journal)
    (waited,) = pauses(journal)
    (key,) = [k for k, e in journal.entries.items() if "seconds" in e.effect["effect"]]
    assert journal.entries[key].outcome == waited
    model = failing(0)
    assert alone(Retry(agent(model, "a"), base=1e-3), journal=journal) == first and model.calls == []
    forever = MemoryJournal()
    forever.entries = dict(journal.entries)
    del forever.entries[key]

    async def waits():  # the control: without the entry it does wait
        task = asyncio.ensure_future(alone_async(Retry(agent(model, "a"), base=1e6, longest=1e6), forever))
        await asyncio.sleep(0.02)
        done = task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return done

    assert asyncio.run(waits()) is False


async def alone_async(actor, journal):
    return await run(Team("t", [Node("a", actor)], [Edge(START, "a")]), "q", journal=journal)


@pytest.mark.parametrize("kept", range(6))
def test_resumed_after_any_effect_it_is_the_same_run(kept):
    whole = MemoryJournal()
    made = alone(patient(agent(failing(2), "a")), journal=whole)
    assert len(whole.entries) == 5
    part = MemoryJournal()
    part.entries = dict(list(whole.entries.items())[:kept])
    left = failing(max(0, 2 - (kept + 1) // 2))
    again = alone(patient(agent(left, "a")), journal=part)
    assert [(d.key, d.error) for d in again.decisions] == [(d.key, d.error) for d in made.decisions]
    assert (again.events, again.usage.calls, len(left.calls)) == (made.events, 3, 3 - (kept + 1) // 2)
    assert pauses(part) == pauses(whole)


@pytest.mark.parametrize(
    ("exception", "calls"),
    [
        (CallFailed, 3), (errors.Unparseable, 3), (ValueError, 3), (errors.BadInput, 1), (errors.BudgetSpent, 1),
        (errors.Drift, 1), (errors.Damaged, 1), (errors.Interrupted, 1), (errors.Unavailable, 1),
    ],
)  # fmt: skip
def test_what_is_retried(exception, calls):
    seen = []

    async def actor(view, ctx):
        seen.append(view)
        raise exception("x")

    async def ask(view, ctx):
        with pytest.raises(exception, match="x"):
            await Retry(actor, 3, base=0)(view, ctx)
        return Reply("asked", "7")

    assert asyncio.run(run(ask, "q")).answer == "7" and len(seen) == calls


def test_a_nested_team_that_failed_is_asked_anew_under_names_of_its_own():
    model = failing(1)
    inner = Team("inner", [Node("x", agent(model, "x"), on_error="fail")], [Edge(START, "x")])
    made = alone(Retry(inner, base=0), journal=MemoryJournal())
    assert made.answer == "2" and [d.path for d in made.decisions] == ["t/a/x", "t/a/try#2/x"]
    assert len({d.key for d in made.decisions}) == 2
    twice = alone(Retry(Retry(agent(failing(5), "a"), 2, base=0), 3, base=0))
    assert [d.path for d in twice.decisions] == [
        "t/a", "t/a/try#2", "t/a/try#2#2", "t/a/try#2#2/try#2", "t/a/try#3", "t/a/try#3/try#2"]  # fmt: skip


def test_a_failed_debater_abstains_and_the_debate_goes_on():
    def say(request):
        if request.messages[-1][1].startswith("b@"):
            raise CallFailed("down")
        return "7"

    names = ("a", "b", "c", "d")
    model = Scripted(say)
    team = Team(
        "debate", [Node(n, patient(agent(model, n), 2)) for n in names],
        [*(Edge(START, n) for n in names), *(Edge(m, n, "temporal") for m in names for n in names if m != n)],
        Quorum(0.8) | MaxRounds(2), majority(),
    )  # fmt: skip
    made = asyncio.run(run(team, "q"))
    assert (made.answer, made.leaf.rounds, made.stopped_by, made.error) == ("7", 2, "max rounds", None)
    assert [m.sender for m in made.messages] == ["a", "c", "d"] * 2
    assert made.usage.calls == 2 * (3 + 2)


def test_one_failing_task_among_many_stops_no_other():
    def say(request):
        if "q3" in request.messages[-1][1]:
            raise CallFailed("down")
        return "7"

    asker = Retry(replace(ANSWERER, prompt="{{ prompt }}")(Scripted(say)), 3, base=0)
    team = Team("t", [Node("a", asker, on_error="fail")], [Edge(START, "a")])
    made = asyncio.run(team.map([Task(str(i), f"q{i}") for i in range(8)]))
    assert [m.answer for m in made] == ["7"] * 3 + [None] + ["7"] * 4
    assert [m.usage.calls for m in made] == [1, 1, 1, 3, 1, 1, 1, 1] and made[3].error == "down"


def flaky(request):
    """Fails for a third of the seeds."""
    if int(digest(str(request.seed), *map(str, request.messages))[:6], 16) % 3 == 0:
        raise CallFailed("busy")
    return str(request.seed % 3)


@dataclass(frozen=True)
class Unknown:
    """The same actor, and nobody knows its worst case."""

    actor: Actor

    @property
    def name(self):
        return self.actor.name

    async def __call__(self, view, ctx):
        return await self.actor(view, ctx)


def crowd(wrap, delay=None):
    model = Scripted(flaky, delay=delay)
    names = [f"n{i}" for i in range(5)]
    return Team(
        "t", [Node(n, wrap(agent(model, n))) for n in names],
        [*(Edge(START, n) for n in names), *(Edge(names[0], n, "temporal") for n in names)],
        MaxRounds(2), majority(),
    )  # fmt: skip


@pytest.mark.parametrize("cap", range(1, 31, 2))
def test_under_a_budget_who_speaks_does_not_depend_on_what_runs_ahead(cap):
    """One after another, since the worst case is unknown, or side by side, since it is known: one transcript."""
    wraps = (lambda a: Retry(Unknown(a), 3, base=0), lambda a: Retry(a, 3, base=0))
    delays = (None, lambda r: (r.seed % 3) / 3000)
    ledgers = []

    def watched(team):
        async def actor(view, ctx):
            ledgers.append(ctx.ledger)
            return await team(view, ctx)

        return actor

    made = [
        asyncio.run(run(watched(crowd(wrap, delay)), "q", seed=cap, budget=Budget(calls=cap)))
        for wrap in wraps
        for delay in delays
    ]
    assert len({repr((m.decisions, m.messages, m.leaves, m.events)) for m in made}) == 1
    for result, ledger in zip(made, ledgers, strict=True):
        assert ledger.spent == result.usage and ledger.held == Usage() and result.usage.calls <= cap


def test_a_worst_case_is_known_where_that_of_the_actor_is():
    known, unknown = Retry(agent(Scripted([]), "a"), 4), Retry(Team("t", [Node("a", open)], [Edge(START, "a")]), 4)
    view = View("q", seat="a")
    assert known.bound(view).calls == 4 and known.bound(view).tokens_in == 4 * known.actor.bound(view).tokens_in
    assert Retry(known, 2).bound(view).calls == 8 and known.speaker() == known.actor.speaker()
    assert unknown.bound(view) is None and Retry(Unknown(known)).bound(view) is None


@pytest.mark.parametrize(("wrap", "most"), [(lambda a: Retry(Unknown(a)), 1), (Retry, 3)])
def test_under_a_budget_only_what_is_known_runs_side_by_side(wrap, most):
    running, widest = [], []

    async def generate(requests):
        running.append(1)
        widest.append(len(running))
        await asyncio.sleep(0.002)
        running.pop()
        return await Scripted(["7"]).generate(requests)

    model = Scripted([])
    model.generate = generate
    team = Team("t", [Node(n, wrap(agent(model, n))) for n in "abc"], [Edge(START, n) for n in "abc"], output=last("a"))
    made = asyncio.run(run(team, "q", budget=Budget(calls=9)))
    assert made.usage.calls == 3 and max(widest) == most


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda a: Retry(a, 0), "retry attempts=0: expected a whole number from 1 to 100"),
        (lambda a: Retry(a, 101), "attempts=101"),
        (lambda a: Retry(a, 2.5), "attempts=2.5"),
        (lambda a: Retry(a, base=-1), "retry base=-1, longest=8.0: expected finite seconds from 0"),
        (lambda a: Retry(a, longest=float("nan")), "longest=nan"),
    ],
)
def test_what_is_refused(make, told):
    with pytest.raises(BadTeam, match=told):
        make(agent(Scripted([]), "a"))


def test_keys_of_a_run_stay_when_a_retry_is_added_and_used():
    """What comes after in another node keeps its name only if it does not depend on the attempts: here it does."""
    made = alone(patient(agent(failing(1), "a")))
    assert made.decisions[0].key == alone(agent(failing(1), "a")).decisions[0].key
    assert made.decisions[1].key != Key(made.decisions[0].key.state, 1)
