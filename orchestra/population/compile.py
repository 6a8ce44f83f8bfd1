"""A role and a policy become a decision table: the model is asked once for each key that occurs, and never again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestra.digest import canonical, digest
from orchestra.engine import Context, run
from orchestra.engine.door import Speaker
from orchestra.errors import BadRole
from orchestra.models.choose import choose
from orchestra.models.model import Policy
from orchestra.population.table import DecisionTable
from orchestra.team.role import Role
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Reply, Request, Task, Usage, View
from orchestra.worlds.bins import Bins


async def compile_table(
    role: Role[Any], bins: Bins, policy: Policy, keys: NDArray[np.int64], ctx: Context
) -> DecisionTable:
    """The calibrated probabilities of the role's choices at each of these keys, asked as one ordered batch of effects.

    The prompts are those that the same role makes on `bins.view(key)` anywhere else, byte for byte. `source` is the
    digest of the prompts and of the weights that answered: another prompt, key or adapter gives another source. Raises
    BadRole for a role without choices.
    """
    if not role.choices:
        raise BadRole(f"role {role.name!r} has no choices; a decision table needs a role with a closed set of answers")
    rows = np.unique(keys)
    requests = [role.request(bins.view(key), adapter=policy.adapter, options=role.choices) for key in rows.tolist()]
    weights = policy.model.weights(policy.adapter)
    by = Speaker(role.name, role.name, policy.label, weights)
    longest = max(policy.model.count(request) for request in requests)
    worst = Usage(calls=1, tokens_in=longest, tokens_out=role.max_tokens)
    completions = await ctx.all(requests, via=choose(policy.model), by=by, bound=worst)
    scores = np.array([completion.scores for completion in completions], np.float64)
    probs = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    return DecisionTable(_source(requests, weights), rows, probs.astype(np.float32), role.choices)


async def compile_in(
    folder: Run, role: Role[Any], bins: Bins, policy: Policy, keys: NDArray[np.int64]
) -> tuple[DecisionTable | None, Trajectory]:
    """`compile_table` as a run of its own, journaled in a run folder: what is there is not asked again.

    Without a table the model failed, and the trajectory says how.
    """
    tables: list[DecisionTable] = []
    actor = _Compile(role, bins, policy, keys, tables)
    trajectory = await run(actor, Task("compile", role.name), journal=folder.journal("compile"))
    folder.add(trajectory)
    await folder.flushed()
    return (tables[0] if tables else None), trajectory


@dataclass(frozen=True, slots=True, eq=False)
class _Compile:
    """An actor that leaves a table."""

    role: Role[Any]
    bins: Bins
    policy: Policy
    keys: NDArray[np.int64]
    tables: list[DecisionTable]
    name: str = "compile"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        self.tables.append(await compile_table(self.role, self.bins, self.policy, self.keys, ctx))
        return Reply(f"{len(self.keys)} keys")


def _source(requests: list[Request], weights: str) -> str:
    asked = [[list(map(list, request.messages)), list(request.options)] for request in requests]
    return digest("decision-table", weights, canonical(asked))
