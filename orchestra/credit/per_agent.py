"""Advantages brought to one scale agent by agent (MARSHAL, arXiv 2510.15414): roles that earn on other scales, or of
which one always does better, then teach alike.

    A <- (A - mean) / sd        over all decisions of the agent in the batch that have an advantage

sd is the population's; where it is 0 every advantage is 0. MARSHAL takes each distinct value once, here each decision
counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, pstdev

from orchestra.credit.credit import Annotation, Table
from orchestra.credit.labels import ROUNDING
from orchestra.digest import canonical
from orchestra.trajectory.trajectory import Trajectory


def per_agent(trajectories: Sequence[Trajectory], tables: Sequence[Table]) -> list[Table]:
    """The tables of a batch, one a trajectory, with whitened advantages; None stays None. Values do not change."""
    agents = [{decision.key: decision.agent for decision in trajectory.decisions} for trajectory in trajectories]
    earned = defaultdict[str, list[float]](list)
    for of, table in zip(agents, tables, strict=True):
        for key, row in table.rows.items():
            if row.advantage is not None:
                earned[of[key]].append(row.advantage)
    scales = {agent: (_rounded(fmean(values)), pstdev(values)) for agent, values in earned.items()}
    return [
        Table(
            "per_agent",
            canonical({"config": table.config, "producer": table.producer}),
            {key: _whitened(row, *scales[of[key]]) if of[key] in scales else row for key, row in table.rows.items()},
        )
        for of, table in zip(agents, tables, strict=True)
    ]


def _rounded(mean: float) -> float:
    """0 where it is that on paper: an advantage of 0 must stay one."""
    return 0.0 if abs(mean) <= ROUNDING else mean


def _whitened(row: Annotation, mean: float, deviation: float) -> Annotation:
    if row.advantage is None:
        return row
    # Rounding alone must not become a signal of size 1.
    return row._replace(advantage=(row.advantage - mean) / deviation if deviation > ROUNDING else 0.0)
