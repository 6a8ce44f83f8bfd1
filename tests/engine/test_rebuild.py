"""All state thrown away and rebuilt from the journal after every effect: the transcript is the same."""

import asyncio
from collections import Counter

import pytest
import small_teams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_runs import delayed, go, teams, transcript
from small_teams import agent

from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, majority, run
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Reply, Request, Task


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(teams(), st.integers(0, 1 << 20), st.sampled_from(["sequential", "speculative"]))
def test_random_teams_rebuilt_after_every_effect(team, seed, schedule):
    plain = go(team, seed)
    small_teams._delays[:] = [delayed(seed)]
    made = asyncio.run(run(team, Task("t", "q"), seed=seed, schedule=schedule, rebuild=True))
    assert transcript(made) == transcript(plain)


def test_what_was_done_is_done_once():
    model = Scripted(lambda r: str(r.seed % 3))
    names = [f"n{i}" for i in range(4)]
    talk = [Edge(a, b, "temporal") for a in names for b in names]
    team = Team(
        "d", [Node(n, agent(model, n)) for n in names], [*(Edge(START, n) for n in names), *talk],
        Quorum(0.8) | MaxRounds(3), majority(),
    )  # fmt: skip
    journal = MemoryJournal()
    made = asyncio.run(run(team, "q", journal=journal, rebuild=True))
    prompts = Counter(call.messages for call in model.calls)
    assert made.usage.calls == len(journal.entries) == 12
    assert len(model.calls) >= 12 and set(prompts) == {d.request.messages for d in made.decisions}
    assert asyncio.run(run(team, "q", journal=journal)) == made


@pytest.mark.live
def test_control_an_actor_with_a_state_of_its_own_is_found():
    class Counts:
        """Breaks the first rule of actors: it remembers by itself."""

        calls = 0

        async def __call__(self, view, ctx):
            Counts.calls += 1
            said = (await ctx.do(Request((("user", "q"),)), small_teams.draw)).text
            return Reply(f"{said} {Counts.calls}")

    team = Team("t", [Node(n, Counts()) for n in "ab"], [Edge(START, "a"), Edge("a", "b")])
    Counts.calls = 0
    plain = asyncio.run(run(team, "q"))
    Counts.calls = 0
    assert asyncio.run(run(team, "q", rebuild=True)).messages != plain.messages
