"""A chain: each agent reads the task and all that those before it said; the last one's word counts.

`chain(generator, verifier, refiner)` is MALT's team (arXiv 2412.01928). With one agent it is `solo`. If the last agent
fails, the answer is the last one given.
"""

from orchestra.engine import START, Edge, Node, last
from orchestra.errors import BadInput
from orchestra.team import Agent, Team

ROLES = {"agents": ("generator", "verifier", "refiner")}


def chain(*agents: Agent | Team) -> Team:
    """One after another, each seeing all before it."""
    if not agents:
        raise BadInput("chain() got no agent; expected at least one")
    names = [agent.name for agent in agents]
    later = [Edge(a, b) for i, b in enumerate(names) for a in names[:i]]
    return Team("chain", [Node(a.name, a) for a in agents], [Edge(START, names[0]), *later], output=last(names[-1]))
