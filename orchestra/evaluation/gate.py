"""The promotion gate: whether weights may take the place of those before them, by a paired evaluation of both.

    better        one-sided test of a higher accuracy on the same tasks, p below `level`
    no_worse      the whole 95 % interval of the accuracy's difference above -margin, and fewer tokens said: the mean
                  paired difference in output tokens lies below 0 with its whole interval (Optima's bargain)

Invariant: the gate reads results of development tasks alone and is decided before any held-out task is looked at; who
does not show enough is refused, also where it is ahead.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from orchestra.errors import BadInput
from orchestra.evaluation.comparison import Comparison, compare
from orchestra.evaluation.result import Result, Rule
from orchestra.evaluation.statistics import Difference, non_inferior, paired_t

LEVEL: Final = 0.05
MARGIN: Final = 0.02
"""Two points of accuracy."""

Test = Literal["better", "no_worse"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says of a candidate."""

    promoted: bool
    test: Test
    bound: float
    """`level` of better, `margin` of no_worse."""
    n: int
    """Tasks."""
    accuracy: float
    before: float
    """Accuracy of what stands."""
    delta: float
    ci_low: float
    ci_high: float
    p: float
    """One-sided, of a higher accuracy."""
    tokens: float
    """Mean difference of the output tokens of a task, candidate less what stands."""
    tokens_high: float
    """Upper end of its interval."""

    def figures(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{'promoted' if self.promoted else 'refused'}: {100 * self.before:.1f} % -> {100 * self.accuracy:.1f} % "
            f"on {self.n} development tasks ({100 * self.delta:+.1f} points, {100 * self.ci_low:+.1f} to "
            f"{100 * self.ci_high:+.1f}, one-sided p = {self.p:.2g}), {self.tokens:+.1f} tokens said a task"
        )


def better(candidate: Result, standing: Result, rule: Rule = "strict", level: float = LEVEL) -> Decision:
    """Promotes a candidate that is shown to be right more often. Raises BadInput where tasks differ."""
    if not 0 < level < 0.5:
        raise BadInput(f"expected a level above 0 and below 0.5, got {level!r}; fix: such as 0.05")
    found, spent = _compared(candidate, standing, rule)
    return _decision(candidate, standing, rule, found, spent, "better", level, promoted=one_sided(found) < level)


def no_worse(candidate: Result, standing: Result, rule: Rule = "strict", margin: float = MARGIN) -> Decision:
    """Promotes a candidate that is shown to say less and to be worse by less than `margin`, or to be better."""
    found, spent = _compared(candidate, standing, rule)
    cheaper = spent.ci_high < 0 and non_inferior(found.ci_low, margin)
    promoted = cheaper or one_sided(found) < LEVEL
    return _decision(candidate, standing, rule, found, spent, "no_worse", margin, promoted=promoted)


def one_sided(found: Comparison) -> float:
    """The p value of "a is higher" that belongs to a two-sided one: exact for McNemar's test where a is ahead, and
    where it is not somewhere from 0.5 up."""
    return found.p / 2 if found.delta > 0 else 1 - found.p / 2


def _compared(candidate: Result, standing: Result, rule: Rule) -> tuple[Comparison, Difference]:
    found = compare(candidate.scores(rule), standing.scores(rule), {item.task: item.family for item in candidate.items})
    new, old = said(candidate), said(standing)
    return found, paired_t([new[task] for task in old], list(old.values()))


def said(result: Result) -> dict[str, float]:
    """Task id -> output tokens of one run of it, on average over its samples."""
    return {task: sum(run.usage.tokens_out for run in runs) / len(runs) for task, runs in result.samples.items()}


def _decision(
    candidate: Result,
    standing: Result,
    rule: Rule,
    found: Comparison,
    spent: Difference,
    test: Test,
    bound: float,
    *,
    promoted: bool,
) -> Decision:
    return Decision(
        promoted, test, bound, found.n, candidate.accuracy(rule).mean, standing.accuracy(rule).mean, found.delta,
        found.ci_low, found.ci_high, one_sided(found), spent.delta, spent.ci_high,
    )  # fmt: skip
