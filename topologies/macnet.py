"""MacNet: an acyclic network of actors with a critic on each edge (Qian et al., arXiv 2406.07155).

Protocol: an actor without predecessors solves the task; on the edge to each successor a critic reviews what it made; an
actor with predecessors reads their artefacts, each with its critique, and makes one of them all. Only the artefact
travels (the answer, without how it came about; an actor without one is silent), so tokens grow with the edges and not
with the paths. The artefacts of the last actors are put to the vote; where none made one, the latest stands.

Kinds: `chain`, `star` (the first is followed by all others), `tree` (binary, from its root), `mesh` (all earlier ones
precede each), `layered` (log2 n layers, each followed by the next) and `random` (by `seed`: one edge into each but the
first by lot, every other with probability `density`). Differs from the public code: several predecessors are read in
one call, where it refines once an edge and then aggregates; independent actors run side by side; temperature is the
role's. Calls: n actors and one critic an edge. With one agent it is `solo`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from orchestra.digest import digest
from orchestra.engine import START, Edge, History, Node, majority
from orchestra.errors import BadInput
from orchestra.team import Agent, AnswerOnly, Team, register
from orchestra.types import Reply

ROLES = {"agents": ("solver",) * 4, "critic": ("reviewer",)}

Kind = Literal["chain", "star", "tree", "mesh", "layered", "random"]


def macnet(
    agents: Sequence[Agent], critic: Agent, *, kind: Kind = "chain", density: float = 0.5, seed: int = 0
) -> Team:
    """An actor at each vertex, in topological order, and the critic on every edge."""
    names = [agent.name for agent in agents]
    links = [(names[a], names[b]) for a, b in network(len(names), kind, density, seed)]
    sources, followed = set(names) - {b for _, b in links}, {a for a, _ in links}
    artefact = AnswerOnly()
    nodes = [Node(agent.name, agent, votes=agent.name not in followed) for agent in agents]
    edges = [Edge(START, name) for name in names if name in sources]
    for a, b in links:
        nodes.append(Node(f"{a}>{b}", critic, votes=False))
        edges += [Edge(a, f"{a}>{b}", carry=artefact), Edge(a, b, carry=artefact), Edge(f"{a}>{b}", b)]
    return Team("macnet", nodes, edges, output=best_artefact)


def network(n: int, kind: Kind, density: float = 0.5, seed: int = 0) -> list[tuple[int, int]]:
    """The edges (a, b), a < b, among vertices 0 to n - 1, in order of b and then a.

    >>> network(4, "tree"), network(4, "layered")
    ([(0, 1), (0, 2), (1, 3)], [(0, 2), (1, 2), (0, 3), (1, 3)])
    """
    layers = max(2, n.bit_length() - 1)  # log2 n, rounded down
    links: dict[str, Callable[[int, int], bool]] = {
        "chain": lambda a, b: a == b - 1,
        "star": lambda a, b: a == 0,
        "tree": lambda a, b: a == (b - 1) // 2,
        "mesh": lambda a, b: True,
        "layered": lambda a, b: b * layers // n - a * layers // n == 1,
        "random": lambda a, b: _chance(seed, a, b) < density or a == int(_chance(seed, b) * b),
    }
    if kind not in links or n < 1 or not 0 <= density <= 1:
        raise BadInput(
            f"macnet of {n} agents, kind {kind!r}, density {density!r}: expected at least one agent, one of "
            f"{', '.join(links)}, and a density from 0 to 1"
        )
    return [(a, b) for b in range(n) for a in range(b) if links[kind](a, b)]


def _chance(*of: int) -> float:
    """A number in [0, 1) that depends on these alone, whatever the machine."""
    return int(digest("macnet", *map(str, of))[:13], 16) / 16**13


@register("best_artefact")
def best_artefact(history: History) -> Reply:
    """The most frequent answer of the last actors; where they gave none, the latest that was made."""
    voted = majority()(history)
    made = [m for m in history.messages if m.answer is not None and ">" not in m.sender]
    return voted if voted.answer is not None or not made else Reply(made[-1].content, made[-1].answer, made[-1].parsed)
