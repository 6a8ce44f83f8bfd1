"""What a step learns from: trees, paid by the benchmark and by rules of credit."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from orchestra.credit import (
    Annotation,
    Baselines,
    Credit,
    Scored,
    Table,
    group_relative,
    masses,
    nested_mean,
    per_agent,
    per_call,
)
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.rewards import TASK, earned, rule
from orchestra.learning.rl.experience import Batch, batch_of
from orchestra.learning.rl.settings import Update
from orchestra.trajectory.trajectory import Trajectory


class Pay:
    """From trees to a batch of experience; moving baselines, where there are any, go on from step to step."""

    def __init__(self, benchmark: Benchmark, learning: Sequence[str], options: Namespace, update: Update) -> None:
        self.benchmark, self.learning, self.options = benchmark, learning, options
        self.critic = update.critic != "none"
        self.baselines = Baselines()

    def __call__(self, trees: Sequence[Trajectory]) -> tuple[Batch, dict[str, Any]]:
        """What a step learns from, and figures of what it earned."""
        options, local = self.options, self._local()
        scored = earned(trees, self.benchmark, options.rule)
        tables = list(self._credit(local)(scored))
        mass = [masses(tree) for tree in trees]
        if not self.critic and options.per_agent:
            tables = per_agent(trees, tables)
        if not self.critic and options.per_call:
            mass = [per_call(tree, each) for tree, each in zip(trees, mass, strict=True)]
        paid = local(scored) if local and self.critic else []
        own = [{key: row.value or 0.0 for key, row in table.rows.items()} for table in paid] or None
        batch = batch_of(scored, tables, mass, self.learning, local=own)
        return batch, {**_earned(scored, batch, options.screen), **_spent(trees)}

    def differs(self, tree: Trajectory) -> bool:
        """Whether any draw of a tree has an advantage, by the rule that the step learns by."""
        (table,) = self._credit(self._local())(earned([tree], self.benchmark, self.options.rule))
        return any(row.advantage for row in table.rows.values())

    def _local(self) -> Credit | None:
        """What decisions are paid besides; nothing to --main, who answers for the whole."""
        if self.options.local == "none":
            return None
        pay, main = rule(self.options.local, TASK, self.benchmark), self.options.main
        return pay if main is None else but(pay, main)

    def _credit(self, local: Credit | None) -> Credit:
        """Advantages; beside a critic, which has its own, values alone."""
        options = self.options
        if self.critic:
            return nested_mean()
        return group_relative(
            TASK,
            options.scale,
            by=options.group,
            single=options.single,
            alpha=options.alpha,
            local=local,
            baselines=self.baselines if options.single == "moving" else None,
        )


def but(pay: Credit, role: str) -> Credit:
    """The rule, with no value for one role."""

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        return [
            table._replace(
                rows={
                    d.key: Annotation(None) if d.role == role else table.rows[d.key] for d in each.trajectory.decisions
                }
            )
            for each, table in zip(batch, pay(batch), strict=True)
        ]

    return credit


def _earned(scored: Sequence[Scored], batch: Batch, screen: int) -> dict[str, Any]:
    """Mean reward of leaves, of each task alike, and how many tasks have something to tell apart.

    Where trees were screened the reward is of the first draws alone: which tasks got more depends on these.
    """
    of_tasks = [_rewards(each) for each in scored]
    first = [_rewards(each, screen) for each in scored] if screen else of_tasks
    told, known = [each for each in first if each], [each for each in of_tasks if each]
    return {
        "reward": fmean(fmean(each) for each in told) if told else 0.0,
        "mixed": fmean(min(each) < max(each) for each in known) if known else 0.0,
        "left_out": batch.left_out,
    }


def _rewards(scored: Scored, below: int | None = None) -> list[float]:
    """Of the leaves that have one, or of those whose draws are all below a number."""
    return [
        reward
        for leaf, rewards in zip(scored.trajectory.leaves, scored.rewards, strict=True)
        if (reward := rewards[TASK]) is not None and (below is None or all(key.draw < below for key in leaf.taken))
    ]


def _spent(trees: Sequence[Trajectory]) -> dict[str, int]:
    """What a step was drawn with."""
    made = [d.completion.usage for tree in trees for d in tree.decisions if d.completion is not None]
    return {
        "calls": len(made),
        "tokens_in": sum(each.tokens_in for each in made),
        "tokens_out": sum(each.tokens_out for each in made),
    }
