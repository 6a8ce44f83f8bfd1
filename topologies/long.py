"""One long answer: the agent is asked once and may use the whole budget of tokens for its reply.

The baseline of serial compute at the cost of a team: one call, whose reply has at most `max_tokens` tokens whatever its
role says. A model that stops sooner spends less: nothing forces it to go on, and what was spent is reported.
"""

from dataclasses import replace

from orchestra.engine import START, Edge, Node
from orchestra.team import Agent, Team

ROLES = {"agent": ("generator",)}


def long(agent: Agent, *, max_tokens: int = 1024) -> Team:
    """A team of one, whose reply may be long."""
    patient = replace(agent, role=replace(agent.role, max_tokens=max_tokens))
    return Team("long", [Node(agent.name, patient)], [Edge(START, agent.name)])
