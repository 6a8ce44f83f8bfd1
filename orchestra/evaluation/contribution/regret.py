"""Early-stop regret: what a team lost, in answers and in tokens, by stopping when it did.

Each run is run on with its stop replaced by the bound on rounds that it had anyway. All that was said before the stop
answers from the journal; only what would have come after it is paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import NamedTuple

from orchestra.engine import MaxRounds, Never
from orchestra.errors import BadInput
from orchestra.evaluation.contribution.replay import Replay
from orchestra.evaluation.contribution.worth import Worth
from orchestra.evaluation.statistics import Interval, Paired, mcnemar, mean_interval
from orchestra.team import Team


class Longer(NamedTuple):
    """One run, and the same run had it gone on."""

    trajectory: str
    early: float
    """Worth as it was."""
    late: float
    """Worth had it gone on."""
    saved: int
    """Tokens that stopping saved."""
    calls: int
    """Model calls that it took to find out."""


@dataclass(frozen=True, slots=True)
class Regret:
    """Over runs."""

    answers: Paired
    """Accuracy had they gone on, minus accuracy as they were: positive is regret."""
    saved: Interval
    """Tokens a run that stopping saved."""


async def longer(team: Team, replay: Replay, worth: Worth) -> Longer:
    """One recorded run of the team, run on. Raises BadInput for a cyclic team whose stop is not bounded."""
    replay.check(team)
    variant = await replay.run(without_stop(team))
    before, after = replay.trajectory, variant.trajectory
    saved = after.usage.tokens - before.usage.tokens
    return Longer(before.id, worth(before), worth(after), saved, variant.calls)


def without_stop(team: Team) -> Team:
    """The team that goes on to its last round; one without rounds goes on until nothing is left to say."""
    if team.plan.cyclic and not isfinite(team.stop.rounds):
        raise BadInput(f"team {team.name!r} has no bound on rounds; fix: its stop | MaxRounds(n)")
    bound = team.stop.rounds
    return replace(team, stop=MaxRounds(int(bound)) if isfinite(bound) else Never())


def regret(runs: Sequence[Longer]) -> Regret:
    """Over runs that are worth 0 or 1 each."""
    answers = mcnemar([run.late for run in runs], [run.early for run in runs])
    return Regret(answers, mean_interval([float(run.saved) for run in runs]))
