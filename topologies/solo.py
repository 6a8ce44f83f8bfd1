"""One agent, asked once: the simplest team, and the baseline that every other has to beat."""

from orchestra.engine import START, Edge, Node
from orchestra.team import Agent, Team

ROLES = {"agent": ("generator",)}


def solo(agent: Agent) -> Team:
    """A team of one."""
    return Team("solo", [Node(agent.name, agent)], [Edge(START, agent.name)])
