"""All diagnostics of the runs of one team as JSON: what a report shows and `orchestra diagnose` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from statistics import fmean
from typing import Any

from orchestra.credit.speech import spoken
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.diagnostics.aggregation import aggregation
from orchestra.evaluation.diagnostics.communication import communication
from orchestra.evaluation.diagnostics.diversity import information_diversity, unnecessary_paths
from orchestra.evaluation.diagnostics.dynamics import dynamics
from orchestra.evaluation.diagnostics.influence import influence
from orchestra.evaluation.diagnostics.novelty import novelty
from orchestra.evaluation.diagnostics.speech import outcome
from orchestra.evaluation.result import Rule
from orchestra.trajectory.trajectory import Trajectory


def summary(trajectories: Sequence[Trajectory], benchmark: Benchmark, rule: Rule = "flexible") -> dict[str, Any]:
    """Every figure over these runs; None where there is nothing to measure. Raises BadInput without runs, and for
    trees."""
    if not trajectories:
        raise BadInput("expected runs to diagnose, got none; fix: a folder of an `orchestra eval` that has begun")
    scored = [run for run in trajectories if spoken(run) and outcome(benchmark, run, rule) is not None]
    found = {
        "runs": len(trajectories),
        "scored": len(scored),
        "rule": rule,
        "communication": _communication(trajectories),
        "dynamics": _dynamics(scored, benchmark, rule),
        "aggregation": _aggregation(scored, benchmark, rule),
        "novelty": _mean(found.share for run in trajectories for found in novelty(run)),
        "idle_messages": influence(trajectories).share,
        "information_diversity": _mean(map(information_diversity, trajectories)),
        "unnecessary_paths": _mean(map(unnecessary_paths, trajectories)),
    }
    return {name: _plain(figure) for name, figure in found.items()}


def _communication(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    found = communication(trajectories)
    return {
        "reread": found.reread,
        "share": found.share,
        "agents": [{"agent": name, **asdict(cost)} for name, cost in found.agents.items()],
        "edges": [{"from": a, "to": b, **asdict(cost)} for (a, b), cost in found.edges.items()],
        "rounds": [{"round": round, **asdict(cost)} for round, cost in found.rounds.items()],
    }


def _dynamics(scored: Sequence[Trajectory], benchmark: Benchmark, rule: Rule) -> dict[str, Any]:
    found = dynamics(scored, benchmark, rule)
    rounds = [
        {"round": r.round, "members": r.members._asdict(), "majority": r.majority._asdict()} for r in found.rounds
    ]
    flips = [
        {
            "round": f.round, "right_wrong": f.right_wrong, "wrong_right": f.wrong_right, "changed": f.changed,
            "p": f.test.p, "gain": f.gain._asdict(),
        }
        for f in found.flips
    ]  # fmt: skip
    return {"rounds": rounds, "flips": flips, "agreed": found.agreed, "consensus_rounds": found.consensus_rounds}


def _aggregation(scored: Sequence[Trajectory], benchmark: Benchmark, rule: Rule) -> dict[str, Any] | None:
    if not scored:
        return None
    found = aggregation(scored, benchmark, rule)
    names = ("mean_member", "majority", "oracle", "team", "efficiency")
    intervals = {name: getattr(found, name) for name in names}
    return {"n": found.n, **{name: each and each._asdict() for name, each in intervals.items()}}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _plain(value: Any) -> Any:
    """As JSON has it: a bound that is not finite, such as of an interval of one task, is None."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
