"""What an evaluation found: an Item for every run, and the figures of a system over all of them.

Invariants: a failed or unparseable run counts as wrong and is counted as such; what has no gold is unscored (None) and
in no accuracy; a task counts once, with the mean over its samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, Final, Literal

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import (
    Interval,
    all_at_k,
    cluster_interval,
    majority_at_k,
    mean_interval,
    pass_at_k,
    wilson,
)
from orchestra.types import Usage

Rule = Literal["strict", "flexible"]
Unit = Literal["tokens", "calls", "cost"]

FEWEST_CLUSTERS: Final = 10
"""Families of tasks are clusters from this many on. With fewer, cluster-robust errors promise too much, and families
are a fixed list rather than a sample."""


@dataclass(frozen=True, slots=True)
class Item:
    """One run of an evaluation."""

    task: str
    """Task id."""
    trajectory: str
    strict: float | None
    """From 0.0 to 1.0; None: not scored."""
    flexible: float | None
    parsed: bool
    answer: str | None
    stopped_by: str
    usage: Usage
    error: str | None = None
    family: str = ""
    """Of the task: its template, subject or passage."""
    sample: int = 0
    """Which run of its task, from 0."""


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one system: the first sample of every task in task order, then the second, and so on."""

    system: str
    benchmark: str
    items: tuple[Item, ...]

    @property
    def strict(self) -> Interval:
        """Accuracy under the strict rule, with its interval."""
        return self.accuracy("strict")

    @property
    def flexible(self) -> Interval:
        """Accuracy under the flexible rule, with its interval."""
        return self.accuracy("flexible")

    @property
    def unparseable(self) -> int:
        """Runs whose reply held no answer."""
        return sum(not item.parsed for item in self.items)

    @property
    def tokens(self) -> Interval:
        """Tokens a run, in + out, with Student's interval."""
        return mean_interval([float(item.usage.tokens) for item in self.items])

    @property
    def usage(self) -> Usage:
        return sum((item.usage for item in self.items), Usage())

    @property
    def samples(self) -> dict[str, list[Item]]:
        """Task id -> its runs, in task order."""
        found: dict[str, list[Item]] = defaultdict(list)
        for item in self.items:
            found[item.task].append(item)
        return dict(found)

    def scores(self, rule: Rule = "flexible") -> dict[str, float]:
        """Task id -> mean score over its samples, in task order; tasks that are not scored are left out."""
        kept = {
            task: [s for run in runs if (s := getattr(run, rule)) is not None] for task, runs in self.samples.items()
        }
        return {task: fsum(scores) / len(scores) for task, scores in kept.items() if scores}

    def spent(self, unit: Unit = "tokens") -> dict[str, float]:
        """Task id -> what one run of it spent, on average over its samples."""
        return {task: fsum(getattr(run.usage, unit) for run in runs) / len(runs) for task, runs in self.samples.items()}

    def right(self, rule: Rule = "flexible") -> list[bool]:
        """Which runs were right, in order: of one sample a task, what the paired test takes."""
        return [getattr(item, rule) == 1.0 for item in self.items]

    def accuracy(self, rule: Rule) -> Interval:
        """Mean score over tasks: with Wilson's interval where every task is right or wrong, else Student's, cut to
        [0, 1]. Raises BadInput where no task has a gold."""
        scores = list(self.scores(rule).values())
        if not scores:
            raise BadInput(f"{self.system}: no task has a gold answer, so none is scored; fix: tasks with golds")
        if all(score in (0.0, 1.0) for score in scores):
            return wilson(round(sum(scores)), len(scores))
        return _cut(mean_interval(scores))

    def clustered(self, rule: Rule) -> Interval | None:
        """The same with an interval over families of tasks, where these are clusters; else None."""
        scores, runs = self.scores(rule), self.samples
        families = clusters([runs[task][0].family for task in scores])
        return _cut(cluster_interval(list(scores.values()), families)) if families else None

    def summary(self) -> dict[str, Any]:
        """JSON of the figures, without the items. Tokens a task are those of one run of it."""
        usage, runs = self.usage, self.samples
        most = max(map(len, runs.values()))
        rules: tuple[Rule, ...] = ("strict", "flexible")
        robust = {rule: found._asdict() for rule in rules if (found := self.clustered(rule))}
        return {
            "system": self.system,
            "benchmark": self.benchmark,
            "n": len(runs),
            "strict": self.strict._asdict(),
            "flexible": self.flexible._asdict(),
            **({"clustered": robust} if robust else {}),
            "unparseable": self.unparseable,
            "unscored": len(runs) - len(self.scores()),
            "failed": sum(item.error is not None for item in self.items),
            "tokens_per_task": round(usage.tokens / len(self.items), 2),
            "usage": {
                "calls": usage.calls,
                "tokens_in": usage.tokens_in,
                "tokens_out": usage.tokens_out,
                "cost": usage.cost,
            },
            **({"samples": most, "at_k": self.at_k()} if most > 1 else {}),
        }

    def at_k(self) -> list[dict[str, float]]:
        """For every k up to the number of samples, means over tasks under the flexible rule, each an exact expectation:
        pass@k, pass^k, and the majority of k runs."""
        runs = [kept for task in self.samples.values() if (kept := [r for r in task if r.flexible is not None])]
        return [
            {
                "k": k,
                "pass": _mean([pass_at_k(len(task), _right(task), k) for task in runs]),
                "all": _mean([all_at_k(len(task), _right(task), k) for task in runs]),
                "majority": _mean(
                    [majority_at_k([r.answer for r in task], [r.flexible or 0.0 for r in task], k) for task in runs]
                ),
            }
            for k in range(1, min(map(len, runs), default=0) + 1)
        ]


def clusters(families: Sequence[str]) -> Sequence[Hashable] | None:
    """The families as clusters of the tasks that are of them; None where they are too few, or each is of one task.

    A task without a family is a cluster of its own.

    >>> clusters(["add", "add", "sub"]) is None
    True
    """
    named = [family or f"#{i}" for i, family in enumerate(families)]
    return named if FEWEST_CLUSTERS <= len(set(named)) < len(named) else None


def _right(runs: Sequence[Item]) -> int:
    return sum(run.flexible == 1.0 for run in runs)


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def _cut(found: Interval) -> Interval:
    return Interval(found.mean, max(0.0, found.ci_low), min(1.0, found.ci_high))
