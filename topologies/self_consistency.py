"""Self-consistency: n independent samples of one agent, majority of their answers (Wang et al., arXiv 2203.11171).

It takes n calls; of a team, such as a chain, n times as many as the team: the majority of n passes. With n = 1 it is
`solo`. Abstentions do not vote; of equally frequent answers the one sampled first wins.
"""

from orchestra.engine import START, Edge, Node, majority
from orchestra.errors import BadInput
from orchestra.team import Agent, Team

ROLES = {"agent": ("generator",)}


def self_consistency(agent: Agent | Team, *, n: int = 5) -> Team:
    """n samples, which see nothing of each other, then a vote."""
    if not 1 <= n <= 1000:
        raise BadInput(f"self_consistency n={n!r}: expected 1 to 1000 samples")
    names = [f"{agent.name}-{i}" for i in range(1, n + 1)]
    return Team(
        "self_consistency",
        [Node(name, agent) for name in names],
        [Edge(START, name) for name in names],
        output=majority(),
    )
