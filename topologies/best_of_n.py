"""Best of n: n independent samples of one agent, of which a judge picks one (Cobbe et al., arXiv 2110.14168).

The paper scores each sample by itself; here the judge reads all n at once, in shuffled order, and names the best by
number, so n samples take n + 1 calls. A judge that names none picks any by lot; where its call fails, the sample
declared last that holds an answer counts. With n = 1 it is `solo`, and the judge is not asked.
"""

from orchestra.engine import START, Edge, Node, last
from orchestra.errors import BadInput
from orchestra.team import Agent, Team, TopK
from orchestra.team.actors.pick import Pick

ROLES = {"agent": ("generator",), "judge": ("ranker",)}


def best_of_n(agent: Agent, judge: Agent, *, n: int = 4) -> Team:
    """n samples, which see nothing of each other, and the one that the judge ranks first."""
    if not 1 <= n <= 1000:
        raise BadInput(f"best_of_n n={n!r}: expected 1 to 1000 samples")
    names = [f"{agent.name}-{i}" for i in range(1, n + 1)]
    nodes, edges = [Node(name, agent) for name in names], [Edge(START, name) for name in names]
    if n > 1:
        nodes.append(Node(judge.name, Pick(TopK(judge, 1)), votes=False))
        edges += [Edge(name, judge.name) for name in names]
    return Team("best_of_n", nodes, edges, output=last(nodes[-1].name))
