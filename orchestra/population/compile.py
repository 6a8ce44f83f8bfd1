"""A role and a policy become a decision table: the model is asked once for each key that occurs, and never again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestra.digest import canonical, digest
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.errors import BadRole
from orchestra.models.choose import choose
from orchestra.models.model import Policy
from orchestra.population.table import DecisionTable
from orchestra.team.role import Role
from orchestra.types import Request, Usage
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


def _source(requests: list[Request], weights: str) -> str:
    asked = [[list(map(list, request.messages)), list(request.options)] for request in requests]
    return digest("decision-table", weights, canonical(asked))
