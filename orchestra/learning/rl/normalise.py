"""How much each sampled token counts in the policy's loss: the weights of an optimiser step, shared out among its rows.

    sum over the rows of  weight * tokens  =  1          (all but "constant")

Weights are reckoned once over the rows of the whole step, all micro-batches and processes together, before any row is
dropped or cut away; so dropping a row that has no gradient changes none of the others, and what is cut adds up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Normalise = Literal["rollout", "token", "sequence", "constant", "agent"]
"""What weighs alike: rollouts, tokens, rows, tokens again (but by a number fixed beforehand), agents."""


class Share(NamedTuple):
    """What a row brings to a step."""

    rollout: str
    """Id of the tree that it is from."""
    agent: str
    tokens: int
    """Sampled ones; 0 for a row that is masked throughout."""
    mass: float = 1.0
    """How much of its rollout it stands for, above 0; 1 for each row of a run without branches."""


def weights(shares: Sequence[Share], how: Normalise, *, longest: int) -> list[float]:
    """One weight a row, for each of its sampled tokens; a row without tokens or mass has 0.0 and counts nowhere.

    rollout   mass_u / (rollouts * sum over the rollout's rows v of mass_v tokens_v): splitting a decision into rows
              does not change what its rollout counts (Agent Lightning, arXiv 2608.17528, where all masses are 1)
    token     mass_u / sum of mass tokens: long replies count for more
    sequence  mass_u / (sum of masses * tokens_u): each reply counts alike, tokens of long ones less
    constant  mass_u / (sum of masses * longest): as `token`, but the step's own lengths do not scale it (Dr. GRPO,
              arXiv 2503.20783)
    agent     mass_u / (agents * sum of mass tokens of the row's agent): who talks much does not count for more

    Where all masses are 1, as in runs without branches, sums of masses are numbers of rows. `longest`, which only
    `constant` reads, is the most tokens that a reply may have.

    >>> weights([Share("a", "solver", 3), Share("a", "critic", 1), Share("b", "solver", 2)], "rollout", longest=8)
    [0.125, 0.125, 0.25]
    """
    counted = [share.tokens > 0 and share.mass > 0 for share in shares]
    masses = sum(share.mass for share, counts in zip(shares, counted, strict=True) if counts)
    sizes: dict[str, float] = {}
    for share, counts in zip(shares, counted, strict=True):
        if counts:
            part = _part(share, how)
            sizes[part] = sizes.get(part, 0.0) + share.mass * share.tokens
    return [
        share.mass / _over(share, how, masses, sizes, longest) if counts else 0.0
        for share, counts in zip(shares, counted, strict=True)
    ]


def _part(share: Share, how: Normalise) -> str:
    """Which of the parts that weigh alike a row belongs to, where there are such."""
    return share.rollout if how == "rollout" else share.agent if how == "agent" else "step"


def _over(share: Share, how: Normalise, masses: float, sizes: Mapping[str, float], longest: int) -> float:
    """What the weight of a row's tokens is divided by."""
    if how == "sequence":
        return masses * share.tokens
    if how == "constant":
        return masses * longest
    return len(sizes) * sizes[_part(share, how)]
