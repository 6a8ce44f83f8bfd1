"""Advantages against siblings: how much better a draw did than the others from the very same state (GRPO).

    r(u) = alpha V(u) + r_local(u)        V the nested mean, r_local the decision's own reward by another rule

With mu the mean of a group's n scored draws and sigma their sample standard deviation:

    none    A = r - mu                   Dr.GRPO (arXiv 2503.20783)
    std     A = (r - mu) / (sigma + 1e-4)  GRPO (arXiv 2402.03300)
    rloo    A = n/(n-1) (r - mu)         the mean of the others as baseline (arXiv 2402.14740)
    maxrl   A = (r - mu) / mu            0 where mu is 0; for rewards >= 0

A group is what was drawn from one state, as in AT-GRPO's trees (arXiv 2510.11062). Grouped by turn instead, draws of
one agent in one round of one task are compared whatever they had seen, in all of the batch's runs by the same team and
weights: what plain GRPO does to a team, and the control of the former.

A single draw has nobody to be compared with: its advantage is 0, or that against its role's moving baseline, and never
its raw reward, which verl gives it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import fmean, stdev
from typing import Any, Literal, NamedTuple, get_args

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.labels import ROUNDING
from orchestra.credit.moving_baseline import Baselines
from orchestra.credit.trie import backed_up, check
from orchestra.digest import canonical
from orchestra.errors import BadInput, UnknownName
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Key

Scale = Literal["none", "std", "rloo", "maxrl"]
By = Literal["state", "turn"]
Single = Literal["zero", "moving"]
SCALES = get_args(Scale)
EPSILON = 1e-4
NOTHING = Annotation(None)


class _Place(NamedTuple):
    """A decision of a batch: groups by turn go across its trajectories, which may share Keys."""

    tree: int
    key: Key


def group_relative(
    component: str = "task",
    scale: Scale = "none",
    *,
    by: By = "state",
    single: Single = "zero",
    alpha: float = 1.0,
    local: Credit | None = None,
    baselines: Baselines | None = None,
) -> Credit:
    """A rule of rewards r as values, with advantages among the draws of each group.

    `local` gives r_local as the values of its tables, None there counting as 0. A draw with no scored leaf below has no
    V: it takes part only where alpha is 0 and `local` values it. `baselines`, for `single="moving"`, go on from batch
    to batch. Raises UnknownName and BadInput for settings that do not exist or fit; the rule raises as `trie.check`
    does.
    """
    for what, given, known in (
        ("scale", scale, SCALES),
        ("by", by, get_args(By)),
        ("single", single, get_args(Single)),
    ):
        if given not in known:
            raise UnknownName(f"{what} of group_relative", given, known)
    if not isfinite(alpha) or alpha < 0 or (alpha == 0 and local is None):
        raise BadInput(f"expected alpha > 0, or 0 beside a local rule, got {alpha!r}; fix: alpha=1.0")
    if baselines is not None and single != "moving":
        raise BadInput(f'group_relative got baselines, but single={single!r}; fix: single="moving", or no baselines')

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        tables = list(local(batch)) if local is not None else []
        rows = _rewards(batch, component, alpha, tables)
        values = {_Place(i, k): r.value for i, of in enumerate(rows) for k, r in of.items() if r.value is not None}
        groups = _groups(batch, values, by)
        found = dict[_Place, float]()
        for places in groups:
            found |= zip(places, relative([values[place] for place in places], scale), strict=True)
        if single == "moving":
            against = _against(batch, rows, Baselines() if baselines is None else baselines)
            found |= {place: against[place] for place, *others in groups if not others}
        config = canonical(_settings(component, scale, by, single, alpha, tables))
        return [
            Table("group_relative", config, {k: r._replace(advantage=found.get(_Place(i, k))) for k, r in of.items()})
            for i, of in enumerate(rows)
        ]

    return credit


def relative(values: Sequence[float], scale: Scale = "none") -> list[float]:
    """Advantages of one group.

    >>> relative([1.0, 0.0, 0.0, 1.0]), relative([1.0, 0.0, 0.0, 0.0], "maxrl"), relative([0.7])
    ([0.5, -0.5, -0.5, 0.5], [3.0, -1.0, -1.0, -1.0], [0.0])
    """
    n = len(values)
    if n < 2 or max(values) - min(values) <= ROUNDING:
        return [0.0] * n
    mean = fmean(values)
    if scale == "maxrl" and min(values) < 0:
        raise BadInput(f"expected rewards >= 0 for maxrl, got {min(values)}; fix: another scale")
    over = {"none": 1.0, "std": stdev(values) + EPSILON, "rloo": (n - 1) / n, "maxrl": mean}[scale]
    return [(value - mean) / over for value in values]


def _rewards(
    batch: Sequence[Scored], component: str, alpha: float, local: Sequence[Table]
) -> list[dict[Key, Annotation]]:
    """Of each trajectory the annotations with r as their value."""
    own: Sequence[Mapping[Key, Annotation]] = [table.rows for table in local] or [{}] * len(batch)
    return [
        {key: _rewarded(row, alpha, more.get(key, NOTHING)) for key, row in backed_up(scored, component, fmean).items()}
        for scored, more in zip(batch, own, strict=True)
    ]


def _rewarded(row: Annotation, alpha: float, local: Annotation) -> Annotation:
    if row.value is None:
        return row._replace(value=local.value) if alpha == 0 else row
    error = None if row.stderr is None else alpha * row.stderr
    return row._replace(value=alpha * row.value + (local.value or 0.0), stderr=error)


def _groups(batch: Sequence[Scored], values: Mapping[_Place, float], by: By) -> list[list[_Place]]:
    """The places that have a value, by what they are compared with."""
    found = defaultdict[tuple[object, ...], list[_Place]](list)
    for i, (trajectory, _) in enumerate(batch):
        for decision in trajectory.decisions:
            place = _Place(i, decision.key)
            if place in values:
                name = (i, decision.key.state) if by == "state" else _turn(trajectory, decision)
                found[name].append(place)
    return list(found.values())


def _turn(trajectory: Trajectory, made: Decision) -> tuple[object, ...]:
    return trajectory.task.id, trajectory.team, made.weights, made.agent, made.round, made.index


def _against(
    batch: Sequence[Scored], rows: Sequence[Mapping[Key, Annotation]], baselines: Baselines
) -> dict[_Place, float]:
    """Every value against its role's baseline; siblings move it too, so that it is what the role earns."""
    found = dict[_Place, float]()
    for i, ((trajectory, _), of) in enumerate(zip(batch, rows, strict=True)):
        values = {key: row.value for key, row in of.items() if row.value is not None}
        found |= {_Place(i, key): value for key, value in baselines.advantages(trajectory, values).items()}
    return found


def _settings(
    component: str, scale: Scale, by: By, single: Single, alpha: float, local: Sequence[Table]
) -> dict[str, Any]:
    """What the tables say of the rule; defaults of later settings are left out, so that earlier tables stay valid."""
    later: dict[str, Any] = {"by": by, "single": single, "alpha": alpha}
    usual = {"by": "state", "single": "zero", "alpha": 1.0}
    settings = {"component": component, "scale": scale, **{k: v for k, v in later.items() if v != usual[k]}}
    return settings | ({"local": [local[0].producer, local[0].config]} if local else {})
