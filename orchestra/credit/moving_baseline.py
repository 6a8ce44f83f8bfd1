"""Role-conditioned moving baseline (SPIRAL, arXiv 2506.24119): for rewards without siblings to compare them with.

    A = R - b        then        b <- decay b + (1 - decay) R        one b for each task family and role

The first reward of a family and role sets its b, so its advantage is 0. R is the decision's nested-mean value; a
trajectory moves a baseline once, by the mean over the role's decisions in it, so that a talkative role does not move
it faster. Trajectories count in the order given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from orchestra.credit.credit import Credit, Scored, Table
from orchestra.credit.trie import backed_up, check
from orchestra.digest import canonical
from orchestra.errors import BadData, BadInput
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Key


class Baselines:
    """What each role earned of late, by task family. They move as they are used; a caller who keeps them from batch to
    batch goes on where it was, also from what `plain` saved.
    """

    def __init__(self, decay: float = 0.95) -> None:
        """Raises BadInput unless 0 <= decay < 1."""
        if not 0 <= decay < 1:
            raise BadInput(f"expected a decay from 0 up to, not including, 1, got {decay!r}")
        self.decay = decay
        self._values: dict[tuple[str, str], float] = {}

    def advantages(self, trajectory: Trajectory, values: Mapping[Key, float]) -> dict[Key, float]:
        """Each of these values of the trajectory's decisions against its role's baseline, which then moves."""
        earned, found = defaultdict[tuple[str, str], list[float]](list), dict[Key, float]()
        for decision in trajectory.decisions:
            if decision.key in values:
                name, value = (trajectory.task.family, decision.role), values[decision.key]
                earned[name].append(value)
                found[decision.key] = value - self._values.get(name, value)
        for name, of_role in earned.items():
            mean = fmean(of_role)
            self._values[name] = self.decay * self._values.get(name, mean) + (1 - self.decay) * mean
        return found

    def plain(self) -> dict[str, Any]:
        """As JSON has it; every bit is kept.

        >>> Baselines.read({"decay": 0.9, "values": [["arith", "verifier", 0.25]]}).plain()
        {'decay': 0.9, 'values': [['arith', 'verifier', 0.25]]}
        """
        return {"decay": self.decay, "values": [[*name, value] for name, value in sorted(self._values.items())]}

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> Baselines:
        """What `plain` gave. Raises BadData for anything else."""
        try:
            made = cls(saved["decay"])
            made._values = {(str(family), str(role)): float(value) for family, role, value in saved["values"]}
        except (BadInput, KeyError, TypeError, ValueError) as error:
            raise BadData(f"expected saved baselines, got {saved!r}: {error!r}; fix: save them again") from None
        if not all(map(isfinite, made._values.values())):
            raise BadData(f"expected finite baselines, got {saved!r}; fix: start without them")
        return made


def moving_baseline(component: str = "task", decay: float = 0.95, *, baselines: Baselines | None = None) -> Credit:
    """A rule with a baseline that moves through the batch, and with `baselines` on from batch to batch.

    Raises BadInput unless 0 <= decay < 1, and where `baselines` decay otherwise; the rule as `trie.check` does.
    """
    fresh = Baselines(decay)
    if baselines is not None and baselines.decay != decay:
        raise BadInput(f"baselines decay by {baselines.decay!r}, the rule by {decay!r}; fix: give both the same decay")
    config = canonical({"component": component, "decay": decay})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        known = Baselines(fresh.decay) if baselines is None else baselines
        return [_table(scored, component, config, known) for scored in batch]

    return credit


def _table(scored: Scored, component: str, config: str, baselines: Baselines) -> Table:
    rows = backed_up(scored, component, fmean)
    values = {key: row.value for key, row in rows.items() if row.value is not None}
    found = baselines.advantages(scored.trajectory, values)
    return Table("moving_baseline", config, {key: row._replace(advantage=found.get(key)) for key, row in rows.items()})
