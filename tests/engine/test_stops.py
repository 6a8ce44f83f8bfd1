"""Stops by hand: when each fires, and that none wastes a call under `sequential`."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from small_teams import draw

from orchestra.engine import (
    START,
    Accepted,
    Edge,
    MaxRounds,
    Node,
    Quorum,
    Signal,
    Spent,
    Timeout,
    Unchanged,
    last,
    majority,
    run,
)
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.roles import verifier
from orchestra.team import Team, Verdict
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Reply, Request, Usage


@dataclass(frozen=True)
class Says:
    """Says its line of the round, after a call."""

    lines: tuple

    async def __call__(self, view, ctx):
        await ctx.do(Request((("user", view.seat),)), draw)
        line = self.lines[min(view.round, len(self.lines) - 1)]
        if line == "!":
            raise ValueError("failed")
        return Reply(str(line), line if isinstance(line, str) else None, parsed=line)


def talking(stop, **lines):
    edges = [Edge(START, name) for name in lines]
    edges += [Edge(a, b, "temporal") for a in lines for b in lines]
    return Team("talk", [Node(n, Says(tuple(said))) for n, said in lines.items()], edges, stop, majority())


def ended(team, **options):
    result = asyncio.run(run(team, "q", **options))
    assert result.waste == Usage()
    return result.stopped_by, result.leaf.rounds, len(result.messages)


@pytest.mark.parametrize(
    ("stop", "a", "b", "expected"),
    [
        (Unchanged() | MaxRounds(5), "1123", "2222", ("unchanged", 2, 4)),
        (Unchanged() | MaxRounds(5), "1233", "2222", ("unchanged", 4, 8)),
        (Unchanged(2) | MaxRounds(4), "1122", "2222", ("max rounds", 4, 8)),
        (Unchanged(2) | MaxRounds(6), "112222", "222222", ("unchanged", 5, 10)),
        (Unchanged() | MaxRounds(3), "123", "321", ("max rounds", 3, 6)),
        (Unchanged() | MaxRounds(4), "1!11", "2222", ("unchanged", 4, 7)),  # one that failed repeated nothing
        (Unchanged(same=lambda a, b: a.lower() == b.lower()) | MaxRounds(4), "aAxx", "bBxx", ("unchanged", 2, 4)),
        (Unchanged() & Quorum(0.5) | MaxRounds(4), "1122", "2222", ("unchanged and quorum", 4, 8)),
    ],
)
def test_unchanged(stop, a, b, expected):
    assert ended(talking(stop, a=a, b=b)) == expected


def test_unchanged_reads_votes_alone():
    team = talking(Unchanged() | MaxRounds(3), a="111", b="123")
    assert ended(team) == ("max rounds", 3, 6)
    silent = Team("talk", [team.nodes[0], Node("b", team.nodes[1].actor, votes=False)], team.edges, team.stop)
    assert ended(silent) == ("unchanged", 2, 4)


def test_a_verifier_ends_the_team_once_it_accepts():
    answers = iter(["No.", "No.", "Yes, that is right.", "No."])
    solver = Node("solver", Says("123456"))
    check = Node("check", verifier(Scripted(lambda r: next(answers)), name="check"))
    edges = [Edge(START, "solver"), Edge("solver", "check"), Edge("check", "solver", "temporal")]
    team = Team("loop", [solver, check], edges, Accepted(("check",)) | MaxRounds(5), last("solver"))
    result = asyncio.run(run(team, "q"))
    assert (result.stopped_by, result.answer, result.leaf.rounds) == ("check accepted", "3", 3)


@pytest.mark.parametrize(("parsed", "accepts"), [(Verdict(True, ""), True), (Verdict(False, ""), False), (True, True),
                                                 (1, False), ("yes", False), (None, False)])  # fmt: skip
def test_what_counts_as_accepting(parsed, accepts):
    team = talking(Accepted(("a",)) | MaxRounds(2), a=(parsed, parsed))
    assert ended(team)[0] == ("a accepted" if accepts else "max rounds")


def test_spent_is_reached_by_a_call_and_ends_after_it():
    assert ended(talking(Spent(calls=3) | MaxRounds(9), a="1", b="2")) == ("spent", 1, 3)
    assert ended(talking(Spent(tokens=8) | MaxRounds(9), a="1", b="2")) == ("spent", 1, 2)


@pytest.mark.parametrize(
    "bad", [lambda: Unchanged(0), lambda: Spent(), lambda: Spent(calls=0), lambda: Timeout(0), lambda: Timeout(1e999)]
)
def test_a_stop_that_cannot_be_meant_is_refused(bad):
    with pytest.raises(BadTeam, match="expected"):
        bad()


def slow(event=None):
    """A node that answers at once in round 0, and never afterwards; it tells when it began to wait."""

    async def actor(view, ctx):
        if view.round and event is not None:
            event.set()
        return Reply((await ctx.do(Request((("user", "q"),)), stuck if view.round else draw)).text, "7")

    async def stuck(requests):
        await asyncio.Event().wait()

    return actor


def waiting(stop, event=None):
    edges = [Edge(START, "a"), Edge("a", "a", "temporal")]
    return Team("wait", [Node("a", slow(event))], edges, stop | MaxRounds(9), last("a"))


def test_a_timeout_cancels_what_is_under_way_and_is_replayed():
    journal = MemoryJournal()
    first = asyncio.run(run(waiting(Timeout(0.05)), "q", journal=journal))
    assert (first.stopped_by, first.answer, len(first.messages)) == ("timeout", "7", 1)
    again = asyncio.run(run(waiting(Timeout(0.05)), "q", journal=journal))
    assert replace(again, waste=first.waste) == first  # nothing waits for a clock: that call is not made again


@pytest.mark.live
def test_what_a_timeout_cancels_is_waste():
    made = asyncio.run(run(waiting(Timeout(0.05)), "q"))
    assert (made.usage.calls, made.waste.calls) == (1, 1)


def test_time_goes_on_where_it_was_after_a_crash():
    journal = MemoryJournal()
    asyncio.run(run(waiting(Timeout(0.05)), "q", journal=journal))
    races = [key for key, entry in journal.entries.items() if isinstance(entry.outcome, tuple)]
    assert [journal.entries[key].outcome.names for key in races] == [[], ["0.05 seconds"]]
    assert journal.entries[races[1]].outcome.elapsed >= 0.05
    late = journal.entries[races[0]]
    journal.entries[races[0]] = late._replace(outcome=late.outcome._replace(elapsed=0.049999))
    del journal.entries[races[1]]
    again = asyncio.run(run(waiting(Timeout(0.05)), "q", journal=journal))
    assert again.stopped_by == "timeout"


def test_a_signal_from_outside_ends_the_team():
    async def go():
        waits, stop = asyncio.Event(), asyncio.Event()
        running = asyncio.ensure_future(run(waiting(Signal("user"), waits), "q", signals={"user": stop}))
        await waits.wait()
        stop.set()
        return await running

    result = asyncio.run(go())
    assert (result.stopped_by, result.answer) == ("signal user", "7")
    assert [e.text for e in result.events if e.kind == "cancel"] == ["user"]


def test_a_signal_that_only_a_part_of_the_stop_waits_for_lets_the_team_go_on():
    async def go():
        stop = asyncio.Event()
        stop.set()
        team = talking((Signal("user") & Quorum(0.5)) | MaxRounds(4), a="1122", b="2222")
        return await run(team, "q", signals={"user": stop})

    result = asyncio.run(go())
    assert (result.stopped_by, result.leaf.rounds) == ("signal user and quorum", 3)


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_a_stop_that_waits_changes_nothing_else(schedule):
    def words(stop):
        made = asyncio.run(run(talking(stop | MaxRounds(3), a="112", b="212"), "q", schedule=schedule))
        return made.messages, made.decisions, made.leaves

    assert words(Timeout(1000) | Signal("never")) == words(MaxRounds(3))
