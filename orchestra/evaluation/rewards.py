"""What leaves earn, and the credit that follows from it, saved beside the trajectories.

Components stay raw under their own names; `total` is their weighed sum, made where weights are given. A rule reads one
component and is saved under its own name, so that several stand beside each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from orchestra.credit import (
    Annotation,
    Credit,
    Scored,
    Table,
    agent_chain,
    group_relative,
    leaf_mean,
    moving_baseline,
    nested_mean,
    peer_importance,
    readability,
    shared,
    soft,
    total,
    verdict,
    with_components,
)
from orchestra.credit.components import COMPONENTS, TOTAL
from orchestra.errors import BadInput, UnknownName, Unparseable
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.evaluate import leaf_scores
from orchestra.models.model import Model
from orchestra.team import forms
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Task

TASK: Final = "task"
READABILITY: Final = "readability"
RULES: Final[Mapping[str, Callable[[str], Credit]]] = {
    "agent_chain": agent_chain,
    "group_relative": group_relative,
    "leaf_mean": leaf_mean,
    "moving_baseline": moving_baseline,
    "nested_mean": nested_mean,
    "peer_importance": peer_importance,
    "shared": shared,
    "soft": soft,
}
"""Rules that read a component of the leaves' rewards."""
VERDICT: Final = "verdict"
"""The rule that reads the verifiers' own words."""
OWN: Final = "own"
"""The rule of `own`."""


def earned(trajectories: Sequence[Trajectory], benchmark: Benchmark, rule: str = "strict") -> list[Scored]:
    """Every leaf with the component `task`: its score by the benchmark, None where the task has no gold."""
    return [
        Scored(tree, tuple({TASK: getattr(found, rule)} for found in leaf_scores(tree, benchmark)))
        for tree in trajectories
    ]


async def weighed(batch: Sequence[Scored], weights: Mapping[str, float], base: Model | None = None) -> list[Scored]:
    """The batch with every component that is weighed, and `total`. `base`, for readability alone, scores the words.

    Raises UnknownName for a component that there is not, BadInput where readability is weighed without a base.
    """
    if unknown := weights.keys() - {TASK, READABILITY, *COMPONENTS}:
        raise UnknownName("reward component", min(unknown), (TASK, READABILITY, *COMPONENTS))
    made = with_components(batch, [name for name in weights if name in COMPONENTS])
    if READABILITY in weights:
        if base is None:
            raise BadInput("expected a base model for readability, got none; fix: a model with the capability score")
        found = await readability([scored.trajectory for scored in made], base)
        made = [
            Scored(s.trajectory, tuple({**r, READABILITY: v} for r, v in zip(s.rewards, values, strict=True)))
            for s, values in zip(made, found, strict=True)
        ]
    return total(made, weights)


def credited(
    batch: Sequence[Scored], names: Sequence[str], folder: Run, benchmark: Benchmark, component: str = TASK
) -> dict[str, list[Table]]:
    """The tables of each rule, saved under its name; one table a trajectory, in order. UnknownName for no rule."""
    tables = {name: list(rule(name, component, benchmark)(batch)) for name in names}
    for name, found in tables.items():
        folder.annotate(name, {s.trajectory.id: table for s, table in zip(batch, found, strict=True)})
    return tables


def check(names: Sequence[str], weights: Mapping[str, float]) -> None:
    """Raises UnknownName for rules and components that there are not, BadInput for a rule named twice."""
    for name in names:
        if name not in RULES and name != VERDICT:
            raise UnknownName("credit rule", name, (*RULES, VERDICT))
    if len(set(names)) < len(names) or not names:
        raise BadInput(f"expected different credit rules, got {','.join(names)!r}; fix: --credit nested_mean")
    for name in weights:
        if name not in (TASK, READABILITY, *COMPONENTS):
            raise UnknownName("reward component", name, (TASK, READABILITY, *COMPONENTS))


def component_of(weights: Mapping[str, float]) -> str:
    """What rules read: the task's reward, or the weighed sum where there are weights."""
    return TOTAL if weights else TASK


def rule(name: str, component: str, benchmark: Benchmark) -> Credit:
    """A credit rule by its name; `benchmark` says whether a proposal is right, where verdicts are paid."""
    if name == OWN:
        return own(benchmark)
    if name != VERDICT:
        return RULES[name](component)

    def right(task: Task, text: str) -> float | None:
        return benchmark.score(task, text).flexible

    return verdict(_read, right)


def own(benchmark: Benchmark) -> Credit:
    """A rule that pays every decision for its own words: a verifier's for a verdict that is right, any other's for the
    strict score of what it said, whatever the team made of it."""
    verdicts = rule(VERDICT, TASK, benchmark)

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        return [
            Table(OWN, "", {d.key: _own(d, judged.rows[d.key], scored.trajectory, benchmark) for d in made})
            for scored, judged in zip(batch, verdicts(batch), strict=True)
            for made in [scored.trajectory.decisions]
        ]

    return credit


def _own(decision: Decision, judged: Annotation, trajectory: Trajectory, benchmark: Benchmark) -> Annotation:
    if decision.completion is None or judged.value is not None:
        return Annotation(judged.value, group=judged.group)
    return Annotation(benchmark.score(trajectory.task, decision.completion.text).strict, group=judged.group)


def _read(said: str) -> bool | None:
    try:
        return forms.verdict(said).right
    except Unparseable:
        return None
