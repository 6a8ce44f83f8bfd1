"""Leave-one-out: what a run loses if one agent is muted.

    contribution of i = worth of the run - worth of the run with i muted

Those that heard i are asked again, the others answer from the journal. Two agents that do the same job each get 0:
what they add together Shapley values tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestra.evaluation.contribution.muted import muted, players
from orchestra.evaluation.contribution.replay import Replay
from orchestra.evaluation.contribution.worth import Contribution, Worth
from orchestra.team import Team


async def leave_one_out(team: Team, replay: Replay, worth: Worth, agents: Sequence[str] | None = None) -> Contribution:
    """Of one recorded run of the team; one variant an agent. Agents default to the nodes that vote."""
    replay.check(team)
    whole, added, calls = worth(replay.trajectory), dict[str, float](), 0
    for name in players(team, agents):
        variant = await replay.run(muted(team, [name]))
        added[name] = whole - worth(variant.trajectory)
        calls += variant.calls
    return Contribution(replay.trajectory.id, whole, added, variants=len(added), calls=calls)
