"""Trajectories to learn from: trees over a team on training tasks, their leaves scored and credit assigned.

`trees` grows a tree on every task, `searched` one that goes where it pays, and `screened` whole ones only where a few
draws already differ. `contrast` spends less than whole trees: it samples the first role everywhere, and grows the rest
only where its samples differ in success, once under a right one and once under a wrong one, which is where the roles
behind it have something to learn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from orchestra.credit.credit import Table
from orchestra.engine import Aligned, Best, Branch, Full, Spoken, grow
from orchestra.engine.door import Call
from orchestra.engine.run import run_id
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.evaluate import Progress, each, leaf_scores
from orchestra.evaluation.rewards import credited, earned
from orchestra.evaluation.tree_search import Search, search
from orchestra.team import Agent, Team
from orchestra.trajectory.journal import Journal
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Leaf, Trajectory
from orchestra.types import Completion, FrozenMap, Key, Task

Mode = Literal["full", "aligned", "best", "search"]
PerTask = Callable[[Task], Branch]


@dataclass(frozen=True, slots=True)
class Yield:
    """What a collection gave for one role."""

    role: str
    decisions: int
    good: int
    """Decisions whose value is above the threshold."""


async def trees(
    team: Team,
    tasks: Sequence[Task],
    branch: Branch | PerTask,
    folder: Run,
    *,
    seed: int = 0,
    concurrency: int = 64,
    progress: Progress | None = None,
) -> list[Trajectory]:
    """One tree a task, all by one branch or by one of each task; what the journal holds is not called again."""

    async def one(task: Task) -> Trajectory:
        how = branch(task) if callable(branch) else branch
        return await grow(team, task, how, seed=seed, journal=_journal(folder, team, task, seed))

    return await each(one, tasks, folder, concurrency, progress)


async def screened(
    team: Team,
    tasks: Sequence[Task],
    few: Branch,
    whole: Branch,
    differ: Callable[[Trajectory], bool],
    folder: Run,
    *,
    seed: int = 0,
    concurrency: int = 64,
    progress: Progress | None = None,
) -> list[Trajectory]:
    """One tree a task: grown by `few`, and grown on by `whole` where that tree's draws `differ`.

    Its draws are then the first ones of the whole tree and are not made again.
    """

    async def one(task: Task) -> Trajectory:
        journal = _journal(folder, team, task, seed)
        small = await grow(team, task, few, seed=seed, journal=journal)
        return await grow(team, task, whole, seed=seed, journal=journal) if differ(small) else small

    return await each(one, tasks, folder, concurrency, progress)


async def searched(
    team: Team,
    tasks: Sequence[Task],
    benchmark: Benchmark,
    how: Search,
    folder: Run,
    *,
    seed: int = 0,
    concurrency: int = 64,
    progress: Progress | None = None,
) -> list[Trajectory]:
    """One tree a task, grown where values say that more draws pay; a leaf earns its flexible score."""

    async def one(task: Task) -> Trajectory:
        def reward(leaf: Leaf) -> float:
            return benchmark.score(task, None if leaf.error is not None else leaf.content).flexible or 0.0

        return await search(team, task, reward, how, seed=seed, journal=_journal(folder, team, task, seed))

    return await each(one, tasks, folder, concurrency, progress)


def branching(mode: Mode, team: Team, benchmark: Benchmark, n: int, roles: FrozenMap[str, int]) -> Branch | PerTask:
    """How trees of a mode grow; `n` draws, in the mode `full` for each role a number of its own."""
    if mode == "aligned":
        return Aligned(team, n)
    if mode == "best":
        return lambda task: Best(n, OwnScore(benchmark, task))
    return Full(n, roles)


@dataclass(frozen=True, slots=True)
class OwnScore:
    """What a draw earns by itself: the flexible score of its own words; 0.0 for those that hold no answer."""

    benchmark: Benchmark
    task: Task

    def __call__(self, call: Call, completion: Completion) -> float:
        return self.benchmark.score(self.task, completion.text).flexible or 0.0


async def contrast(
    team: Team,
    tasks: Sequence[Task],
    benchmark: Benchmark,
    folder: Run,
    *,
    samples: int,
    branch: int,
    items: int,
    seed: int = 0,
    concurrency: int = 64,
    progress: Progress | None = None,
) -> list[Trajectory]:
    """Samples the team's first agent `samples` times on every task, then grows trees of `branch` draws for each later
    role, under the first right and the first wrong sample, on the first `items` tasks that have both.
    """
    first = _first(team)
    sampler = replace(team, stop=Spoken((first.name,)))
    many = Full(branch, FrozenMap({first.role.name: samples}))

    async def sample(task: Task) -> Trajectory:
        return await grow(sampler, task, many, seed=seed, journal=_journal(folder, team, task, seed))

    sampled = await each(sample, tasks, folder, concurrency, progress)
    starts = [start for tree in sampled if (start := _right_and_wrong(tree, benchmark))][:items]
    one_each = Full(branch, FrozenMap({first.role.name: 1}))

    async def grown(start: tuple[Task, str, int]) -> Trajectory:
        task, state, draw = start
        journal = _journal(folder, team, task, seed)
        return await grow(team, task, one_each, seed=seed, journal=journal, start={state: draw})

    return sampled + await each(grown, [s for pair in starts for s in pair], folder, concurrency, progress)


def credit(trajectories: Sequence[Trajectory], benchmark: Benchmark, folder: Run, rule: str = "strict") -> list[Table]:
    """Scores every leaf, assigns nested-mean credit, and saves it beside the trajectories as `nested_mean`."""
    return credited(earned(trajectories, benchmark, rule), ["nested_mean"], folder, benchmark)["nested_mean"]


def yields(trajectories: Sequence[Trajectory], tables: Sequence[Table], over: float = 0.5) -> list[Yield]:
    """Of each role, decisions with a value and those above the threshold; a value of exactly `over` is not good.

    A decision that several trees of a task share counts once, and is good if it is in any of them.
    """
    good: dict[tuple[str, str, Key], bool] = {}
    for tree, table in zip(trajectories, tables, strict=True):
        for decision in tree.decisions:
            value = table.rows[decision.key].value
            if value is not None:
                name = (decision.role, tree.task.id, decision.key)
                good[name] = good.get(name, False) or value > over
    roles = dict.fromkeys(role for role, _, _ in good)
    return [
        Yield(role, sum(r == role for r, _, _ in good), sum(found for (r, _, _), found in good.items() if r == role))
        for role in roles
    ]


def _first(team: Team) -> Agent:
    actor = team.nodes[team.plan.order[0]].actor
    if not isinstance(actor, Agent):
        raise BadInput(f"team {team.name!r}: its first node must be an agent to be sampled, got {type(actor).__name__}")
    return actor


def _right_and_wrong(tree: Trajectory, benchmark: Benchmark) -> tuple[tuple[Task, str, int], ...]:
    """The first right and the first wrong sample of a task, as draws to grow on from; nothing if it lacks either."""
    keys = [leaf.taken[0] for leaf in tree.leaves if leaf.taken]
    found = [score.flexible == 1.0 for score in leaf_scores(tree, benchmark)]
    if len(keys) != len(found) or True not in found or False not in found:
        return ()
    return tuple((tree.task, *keys[found.index(right)]) for right in (True, False))


def _journal(folder: Run, team: Team, task: Task, seed: int) -> Journal:
    """One journal for all trees of a team on a task, so that what was sampled is not sampled again."""
    return folder.journal(run_id(team, task, seed))
