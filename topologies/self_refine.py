"""Self-refinement (Madaan et al., arXiv 2303.17651): propose, hear what is wrong, improve; the last word counts.

With a critic, which may be another role on the same policy, `rounds` improvements take exactly 1 + 2 x rounds calls;
without one the agent checks what it said itself, in 1 + rounds calls. The agent hears its own last proposal and the
criticism of that alone, where the paper shows it all that went before; and it is not for the critic to end the work, so
that the number of calls is known beforehand. With `rounds=0` it is `solo`.
"""

from orchestra.engine import START, Edge, MaxRounds, Node, last
from orchestra.errors import BadInput
from orchestra.team import Agent, Team

ROLES = {"agent": ("reviser",), "critic": ("critic",)}


def self_refine(agent: Agent, critic: Agent | None = None, *, rounds: int = 2) -> Team:
    """A proposal and so many improvements of it."""
    if not 0 <= rounds <= 1000:
        raise BadInput(f"self_refine rounds={rounds!r}: expected 0 to 1000 improvements")
    own = agent.name
    nodes, edges = [Node(own, agent)], [Edge(START, own), Edge(own, own, "temporal")]
    if critic is not None:
        # It hears the proposal of the round before, so that none is criticised which nobody will improve.
        nodes.append(Node(critic.name, critic, votes=False))
        edges += [Edge(own, critic.name, "temporal"), Edge(critic.name, own)]
    return Team("self_refine", nodes, edges, MaxRounds(rounds + 1), last(own))
