"""An ensemble: different agents answer alone, and the majority of their answers counts. What a debate has to beat.

It is a debate without edges ("Debate or Vote", arXiv 2508.17536: voting gives most of a debate's gain). Every agent is
asked `repeat` times, so it takes agents x repeat calls. Abstentions do not vote; of equally frequent answers the one
declared first wins. Of one agent it is `self_consistency`.
"""

from collections.abc import Sequence

from orchestra.engine import START, Edge, Node, majority
from orchestra.errors import BadInput
from orchestra.team import Agent, Team

ROLES = {"agents": ("generator",) * 3}


def ensemble(agents: Sequence[Agent], *, repeat: int = 1) -> Team:
    """Agents who see nothing of each other, then a vote."""
    if not agents or not 1 <= repeat <= 1000:
        raise BadInput(f"ensemble of {len(agents)} agents, repeat={repeat!r}: expected at least one, 1 to 1000 times")
    nodes = [Node(a.name if i == 1 else f"{a.name}@{i}", a) for i in range(1, repeat + 1) for a in agents]
    return Team("ensemble", nodes, [Edge(START, node.name) for node in nodes], output=majority())
