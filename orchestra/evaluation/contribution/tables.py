"""Contributions as annotations: tables beside trajectories, which credit rules and training rows read.

The value of a decision is the worth of its run, its advantage what it is credited with: the contribution of its agent,
or the effect of its message. Decisions without either have neither. `importance` has no baseline, so it stands as the
value: a share of a layer, not a reward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestra.credit import Annotation, Table
from orchestra.credit.importance import by_message
from orchestra.digest import canonical
from orchestra.evaluation.contribution.replacement import Replaced, said
from orchestra.evaluation.contribution.worth import Contribution
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import EMPTY, Key

NONE = Annotation(None)


def by_agent(producer: str, trajectory: Trajectory, found: Contribution, settings: Mapping[str, Any] = EMPTY) -> Table:
    """Every decision of an agent, those of nested teams included, gets what that agent adds."""
    rows = {
        made.key: Annotation(found.worth, advantage=found.agents[name])
        if (name := member(made)) in found.agents
        else NONE
        for made in trajectory.decisions
    }
    return Table(producer, canonical(dict(settings)), rows)


def by_decision(
    producer: str, trajectory: Trajectory, found: Iterable[Replaced], settings: Mapping[str, Any] = EMPTY
) -> Table:
    """The call that said a message gets the effect of that message."""
    rows = dict.fromkeys((made.key for made in trajectory.decisions), NONE)
    for each in found:
        rows[each.decision] = Annotation(each.worth + each.effect, advantage=each.effect)
    return Table(producer, canonical(dict(settings)), rows)


def of_importance(trajectory: Trajectory) -> Table:
    """The call that said a message gets the importance of that message."""
    shares = by_message(trajectory)
    rows: dict[Key, Annotation] = dict.fromkeys((made.key for made in trajectory.decisions), NONE)
    rows |= {decision.key: Annotation(shares[message.id]) for message, decision in said(trajectory)}
    return Table("importance", "{}", rows)


def member(decision: Decision) -> str:
    """The node of the outermost team in which a call was made; empty where there is no team.

    A team that is visited again has its visit behind its name, as in `group:1`.
    """
    return decision.path.partition("/")[2].partition("/")[0].partition(":")[0]
