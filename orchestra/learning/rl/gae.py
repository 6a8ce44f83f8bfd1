"""Generalised advantage estimation token by token along the chain of agents (arXiv 1506.02438; MARFT's chain, arXiv
2504.16129). Decision by decision it is `credit.agent_chain.advantages`.

Only sampled tokens are steps. Within a decision the discount is 1, from the last one of decision j to the first one of
the next it is gamma_j, and lambda stands at every step:

    delta = V' - V    within        delta = r_j + gamma_j V' - V    at the last token of decision j
    A     = delta + (1 or gamma_j) lambda A'

Tokens that were not sampled are passed over, neither discounted nor valued: what a tool or a grammar put in must not
change what the agent is credited with. Behind the last decision the value is 0.
"""

from __future__ import annotations

from collections.abc import Sequence


def by_token(
    values: Sequence[Sequence[float]],
    rewards: Sequence[float],
    masks: Sequence[Sequence[int]],
    *,
    gamma: float | Sequence[float] = 1.0,
    decay: float = 0.95,
) -> list[list[float]]:
    """Advantages of the tokens of one path, a list a decision, 0.0 where the mask is 0; return = advantage + value.

    `values[j][k]` is of the state before token k of decision j, `rewards[j]` what came right after decision j, `gamma`
    one for all or one a decision, `decay` lambda. A decision of which nothing was sampled is no step: its reward goes
    to the last sampled token before it. Raises ValueError where lengths differ.

    >>> by_token([[0.5], [0.25, 9.0, 0.5]], [0.0, 1.0], [[1], [1, 0, 1]], gamma=1, decay=1)
    [[0.5], [0.75, 0.0, 0.5]]
    """
    gammas = [gamma] * len(values) if isinstance(gamma, (int, float)) else gamma
    found, following, later, earned = list[list[float]](), 0.0, 0.0, 0.0
    path = list(zip(values, rewards, masks, gammas, strict=True))
    for worth, reward, mask, between in reversed(path):
        earned, hop, advantages = earned + reward, between, [0.0] * len(worth)
        for place, (value, sampled) in reversed(list(enumerate(zip(worth, mask, strict=True)))):
            if sampled:
                later = earned + hop * (following + decay * later) - value
                following, hop, earned = value, 1.0, 0.0
                advantages[place] = later
        found.append(advantages)
    return found[::-1]
