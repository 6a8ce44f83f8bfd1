"""Shapley values: what each agent adds, averaged over all orders in which the team could have come together.

    phi_i = sum over coalitions S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S))     (Shapley 1953)

v(S) is the worth of the run in which all outside S are muted; nobody at all is worth `empty` (0 unless told: the chance
level is another good choice) and is never run. Up to five agents every coalition is run, 2^n - 1 with the recorded one;
beyond, permutations are drawn (Castro, Gomez, Tejada 2009, Comput. Oper. Res. 36, 1726), the mean of marginal
contributions comes with its standard error, and a coalition that comes up again is not run again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import combinations
from math import factorial, fsum, sqrt
from random import Random
from statistics import fmean, stdev
from typing import Final

from orchestra.errors import BadInput
from orchestra.evaluation.contribution.muted import muted, players
from orchestra.evaluation.contribution.replay import Replay
from orchestra.evaluation.contribution.worth import Contribution, Worth
from orchestra.team import Team

EXACT: Final = 5
"""Agents up to which every coalition is run."""

Coalition = frozenset[str]
Value = Callable[[Coalition], Awaitable[float]]


async def shapley(
    team: Team,
    replay: Replay,
    worth: Worth,
    agents: Sequence[str] | None = None,
    *,
    empty: float = 0.0,
    permutations: int = 20,
    exact: bool | None = None,
) -> Contribution:
    """Of one recorded run of the team. Agents default to the nodes that vote; `exact` to whether there are at most
    five. Permutations are drawn by the run's seed."""
    replay.check(team)
    names = players(team, agents)
    known = {frozenset(names): worth(replay.trajectory), frozenset[str](): empty}
    calls = 0

    async def value(coalition: Coalition) -> float:
        nonlocal calls
        if coalition not in known:
            variant = await replay.run(muted(team, [name for name in names if name not in coalition]))
            known[coalition] = worth(variant.trajectory)
            calls += variant.calls
        return known[coalition]

    stderr: Mapping[str, float] = {}
    if exact if exact is not None else len(names) <= EXACT:
        for size in range(1, len(names)):
            for coalition in combinations(names, size):
                await value(frozenset(coalition))
        added = exactly(names, known)
    else:
        added, stderr = await sampled(names, value, permutations, Random(replay.trajectory.seed))
    return Contribution(replay.trajectory.id, known[frozenset(names)], added, stderr, len(known) - 2, calls)


def exactly(names: Sequence[str], worth: Mapping[Coalition, float]) -> dict[str, float]:
    """Shapley values from the worth of every coalition, the empty one included.

    >>> exactly("ab", {frozenset(): 0, frozenset("a"): 1, frozenset("b"): 0, frozenset("ab"): 2})
    {'a': 1.5, 'b': 0.5}
    """
    n, found = len(names), {}
    for name in names:
        others = [other for other in names if other != name]
        terms = [
            factorial(size) * factorial(n - size - 1) * (worth[frozenset((*some, name))] - worth[frozenset(some)])
            for size in range(n)
            for some in combinations(others, size)
        ]
        found[name] = fsum(terms) / factorial(n)
    return found


async def sampled(
    names: Sequence[str], value: Value, permutations: int, rng: Random
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean marginal contributions over random permutations, and their standard errors; the means add up to
    v(all) - v(nobody) whatever was drawn. BadInput for fewer than two permutations, which have no standard error."""
    if permutations < 2:
        raise BadInput(f"expected at least two permutations, got {permutations!r}; fix: permutations=20")
    marginals: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(permutations):
        coalition: Coalition = frozenset()
        before = await value(coalition)
        for name in rng.sample(list(names), len(names)):
            coalition |= {name}
            after = await value(coalition)
            marginals[name].append(after - before)
            before = after
    means = {name: fmean(added) for name, added in marginals.items()}
    return means, {name: stdev(added) / sqrt(permutations) for name, added in marginals.items()}
