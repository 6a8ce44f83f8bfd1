"""Multi-agent debate (Du et al., arXiv 2305.14325): all answer, then answer again having read their neighbours.

Protocol: simultaneous within a round; an agent's own chat is its memory, not an edge; majority of the last answers.
Beyond the paper: any graph of who reads whom (sparse ones keep accuracy for fewer tokens, arXiv 2406.11776), and an
early stop once more than floor(share x n) of a round agree. With one round it is an ensemble vote.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, majority
from orchestra.errors import BadInput
from orchestra.team import Agent, Team

ROLES = {"agents": ("debater",) * 4}

Graph = Literal["full", "ring", "star"]


def debate(agents: Sequence[Agent], *, rounds: int = 2, graph: Graph = "full", share: float = 2 / 3) -> Team:
    """Agents who read each other: `full`, `ring` (both neighbours) or `star` (all read the first, and it reads all)."""
    names = [agent.name for agent in agents]
    if len(names) < 2:
        raise BadInput(f"debate of {len(names)}: expected at least two agents")
    talk = [Edge(a, b, "temporal") for a, b in _links(names, graph)]
    return Team(
        "debate",
        [Node(a.name, a) for a in agents],
        [*(Edge(START, name) for name in names), *talk],
        Quorum(share) | MaxRounds(rounds),
        majority(),
    )


def _links(names: Sequence[str], graph: Graph) -> list[tuple[str, str]]:
    """Who is read by whom, in order of declaration."""
    n = len(names)
    near: dict[str, Callable[[int, int], bool]] = {
        "full": lambda i, j: True,
        "ring": lambda i, j: (i - j) % n in (1, n - 1),
        "star": lambda i, j: 0 in (i, j),
    }
    if graph not in near:
        raise BadInput(f"debate graph {graph!r}: expected one of {', '.join(near)}")
    return [(names[i], names[j]) for i in range(n) for j in range(n) if i != j and near[graph](i, j)]
