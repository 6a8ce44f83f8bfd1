"""Role-conditioned moving baseline (SPIRAL, arXiv 2506.24119): for rewards without siblings to compare them with.

    A = R - b        then        b <- decay b + (1 - decay) R        one b for each task family and role

The first reward of a family and role sets its b, so its advantage is 0. R is the decision's nested-mean value; a
trajectory moves a baseline once, by the mean over the role's decisions in it, so that a talkative role does not move
it faster. Trajectories count in the order given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.trie import backed_up, check
from orchestra.digest import canonical
from orchestra.errors import BadInput
from orchestra.types import Key


def moving_baseline(component: str = "task", decay: float = 0.95) -> Credit:
    """A rule with a baseline that moves through the batch. Raises BadInput unless 0 <= decay < 1; the rule as
    `trie.check` does.
    """
    if not 0 <= decay < 1:
        raise BadInput(f"expected a decay from 0 up to, not including, 1, got {decay!r}")
    config = canonical({"component": component, "decay": decay})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        baselines: dict[tuple[str, str], float] = {}
        return [Table("moving_baseline", config, _rows(scored, component, decay, baselines)) for scored in batch]

    return credit


def _rows(
    scored: Scored, component: str, decay: float, baselines: dict[tuple[str, str], float]
) -> dict[Key, Annotation]:
    rows, earned = backed_up(scored, component, fmean), defaultdict[tuple[str, str], list[float]](list)
    family = scored.trajectory.task.family
    for decision in scored.trajectory.decisions:
        value = rows[decision.key].value
        if value is not None:
            name = family, decision.role
            earned[name].append(value)
            rows[decision.key] = rows[decision.key]._replace(advantage=value - baselines.get(name, value))
    for name, values in earned.items():
        mean = fmean(values)
        baselines[name] = decay * baselines.get(name, mean) + (1 - decay) * mean
    return rows
