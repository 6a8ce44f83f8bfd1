"""One transcript: random teams under random delays give equal results whatever the schedule, and after any crash.

The control decides on arrival instead of in canonical order, and must differ.
"""

import asyncio
import random

import pytest
import small_teams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_runs import delayed, go, teams, transcript
from small_teams import Caller

from orchestra.engine import START, Edge, Node, Quorum, majority, run
from orchestra.team import Team
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Task


def check(team, seed):
    plain = go(team, seed)
    assert plain.error is None
    assert go(team, seed, delays=seed).waste.calls == 0
    for schedule in ("sequential", "speculative"):
        assert transcript(go(team, seed, schedule, delays=seed + 1)) == transcript(plain)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(teams(), st.integers(0, 1 << 20))
def test_one_transcript(team, seed):
    check(team, seed)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(teams(), st.integers(0, 1 << 20))
def test_one_transcript_of_3000_teams(team, seed):
    check(team, seed)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(teams(), st.integers(0, 1 << 20), st.randoms(use_true_random=False))
def test_resume_from_any_prefix_repeats_no_call(team, seed, dice):
    journal = MemoryJournal()
    whole = go(team, seed, journal=journal)
    part = MemoryJournal()
    part.entries = dict(list(journal.entries.items())[: dice.randint(0, len(journal.entries))])
    kept = len(part.entries)
    again = go(team, seed, "speculative", delays=seed, journal=part)
    assert transcript(again) == transcript(whole)
    assert go(team, seed, journal=part).decisions == whole.decisions
    assert set(part.entries) >= set(journal.entries) and kept <= len(part.entries)


def test_control_a_quorum_that_decides_on_arrival_differs():
    """Three agree in order of declaration, but others arrive first: reading arrivals would stop elsewhere."""
    differ = 0
    for seed in range(40):
        names = [f"n{i}" for i in range(5)]
        team = Team(
            "vote", [Node(n, Caller()) for n in names], [Edge(START, n) for n in names], Quorum(0.3), majority()
        )
        result = go(team, seed, "speculative")
        arrivals = random.Random(seed).sample(names, 5)
        answers = {
            m.sender: m.answer for m in go(Team("all", team.nodes, team.edges, output=majority()), seed).messages
        }
        heard = []
        for name in arrivals:
            heard.append(answers[name])
            if heard.count(heard[-1]) >= 2:
                break
        differ += heard[-1] != result.answer
    assert differ >= 5


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_many_runs_in_flight(schedule):
    async def many():
        teams_ = [
            Team("t", [Node(f"n{i}", Caller(2)) for i in range(4)], [Edge(START, f"n{i}") for i in range(4)])
            for _ in range(64)
        ]
        return await asyncio.gather(*(run(t, Task(str(i), f"q{i}"), schedule=schedule) for i, t in enumerate(teams_)))

    small_teams._delays[:] = [delayed(3)]
    together = asyncio.run(many())
    for i in (0, 31, 63):
        alone = asyncio.run(
            run(
                Team("t", [Node(f"n{j}", Caller(2)) for j in range(4)], [Edge(START, f"n{j}") for j in range(4)]),
                Task(str(i), f"q{i}"),
            )
        )
        assert transcript(alone) == transcript(together[i])
