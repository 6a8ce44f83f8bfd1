"""A whole evaluation: a team, its baselines and a pool of single answers on one course, and who won.

Invariant: a difference is called one, ours or not, only where p under the flexible rule, corrected by Holm for the
number of baselines, is below LEVEL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import fsum
from typing import Any, Final, Literal

import numpy as np

from orchestra.errors import RunFailed
from orchestra.evaluation.benchmark import content_hash
from orchestra.evaluation.comparison import Comparison, compare
from orchestra.evaluation.course import Course
from orchestra.evaluation.curves import Curve, Track, curve
from orchestra.evaluation.equal_budget.baselines import Baseline, Matched, measure, warmed
from orchestra.evaluation.equal_budget.matching import Match, Per
from orchestra.evaluation.equal_budget.pool import Pool, draw_pool
from orchestra.evaluation.result import Result, Rule
from orchestra.evaluation.statistics import holm
from orchestra.team import Team
from orchestra.topologies import solo
from orchestra.types import Task

LEVEL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was measured on one course."""

    ours: Result
    theirs: Mapping[str, Result]
    matched: Mapping[str, Matched]
    """Of the baselines that were brought to our cost."""
    pool: Pool | None
    seed: int

    @property
    def systems(self) -> list[Result]:
        """Ours first."""
        return [self.ours, *self.theirs.values()]

    def summary(self) -> dict[str, Any]:
        """JSON of all figures, without the items."""
        found: dict[str, Any] = self.ours.summary()
        verdicts = against(self.ours, self.theirs)
        found["baselines"] = {name: {**other.summary(), **verdicts[name]} for name, other in self.theirs.items()}
        for name, matched in self.matched.items():
            found["baselines"][name]["matched"] = matched.summary()
        if self.theirs or self.pool:
            found["curve"] = self.curve().summary()
        if self.pool is not None:
            found["pool"] = {"agent": self.pool.agent, "size": self.pool.size, "usage": asdict(self.pool.usage)}
            if self.pool.size > 1:
                found["strata"] = self.strata(self.pool)
        return found

    def kept(self, summary: Mapping[str, Any], tasks: Sequence[Task]) -> dict[str, Any]:
        """What result.json holds: the figures, and what every task asked and how it went."""
        asked = {task.id: content_hash(task) for task in tasks}

        def items(measured: Result) -> list[dict[str, Any]]:
            return [{**asdict(item), "content": asked[item.task]} for item in measured.items]

        own = {name: figure for name, figure in summary.items() if name != "baselines"}
        beside = {name: {**summary["baselines"][name], "items": items(other)} for name, other in self.theirs.items()}
        return {"team": {**own, "items": items(self.ours)}, "baselines": beside}

    def curve(self) -> Curve:
        """Accuracy against tokens of every system, and of self-consistency for every k of the pool."""
        tracks = [Track(each.system, each.scores(), each.spent()) for each in self.systems]
        if (pool := self.pool) is not None:
            for k in range(1, pool.size + 1):
                scores, tokens = (dict(zip(pool.draws, of(k), strict=True)) for of in (pool.scores, pool.tokens))
                tracks.append(Track(f"{pool.agent} x {k}", scores, tokens, series="self-consistency"))
        families = {item.task: item.family for item in self.ours.items}
        return curve(tracks, families, np.random.default_rng(self.seed))

    def strata(self, pool: Pool) -> list[dict[str, Any]]:
        """Every system on tasks that the single agent finds hard, middling and easy."""
        scores = {each.system: each.scores() for each in self.systems}
        return [
            {
                "tasks": len(part.tasks),
                "selected": part.selected,
                "held_out": part.held_out,
                "accuracy": {
                    name: fsum(of[task] for task in part.tasks) / len(part.tasks) for name, of in scores.items()
                },
            }
            for part in pool.strata()
        ]


async def measure_all(
    course: Course, team: Team, name: str, others: Sequence[Baseline], match: Match | None, per: Per, pool: int
) -> Outcome:
    """A team, its baselines, and `pool` draws of its first agent alone. Raises RunFailed where a system gets no reply
    at all."""
    ours = _alive(await course.measure(team, name))
    theirs: dict[str, Result] = {}
    matched: dict[str, Matched] = {}
    for other in others:
        result, how = await measure(course, other, team, ours, match, per)
        theirs[other.name] = _alive(result)
        if how is not None:
            matched[other.name] = how
    single = warmed(solo(team.agents()[0])).agents()[0] if pool else None
    return Outcome(ours, theirs, matched, await draw_pool(course, single, pool) if single else None, course.seed)


def against(ours: Result, theirs: Mapping[str, Result]) -> dict[str, dict[str, Any]]:
    """Of each baseline the paired difference ours - theirs under both rules, and who won."""
    rules: tuple[Rule, ...] = ("strict", "flexible")
    found = {name: {rule: difference(ours, other, rule) for rule in rules} for name, other in theirs.items()}
    corrected = holm([paired["flexible"].p for paired in found.values()])
    return {
        name: {
            "paired": {rule: one._asdict() for rule, one in paired.items()},
            "p_holm": p,
            "winner": winner(paired["flexible"].delta, p),
        }
        for (name, paired), p in zip(found.items(), corrected, strict=True)
    }


def difference(a: Result, b: Result, rule: Rule) -> Comparison:
    """The paired difference a - b."""
    return compare(a.scores(rule), b.scores(rule), {item.task: item.family for item in a.items})


def winner(delta: float, p: float) -> Literal["team", "baseline"] | None:
    """None: no difference was shown.

    >>> winner(0.1, 0.01), winner(-0.1, 0.01), winner(0.1, 0.2)
    ('team', 'baseline', None)
    """
    if p >= LEVEL:
        return None
    return "team" if delta > 0 else "baseline"


def _alive(measured: Result) -> Result:
    reasons = [item.error for item in measured.items if item.error is not None]
    if len(reasons) == len(measured.items):
        raise RunFailed(f"{measured.system}: all {len(reasons)} tasks failed, the first with: {reasons[0]}")
    return measured
