"""Steps that share a compressed workspace, then a jury of actor and critic (Sibyl, Wang et al., arXiv 2407.10718).

Protocol: an explorer, who remembers nothing, reads the task and the workspace and takes a step, of which a scribe adds
to the workspace what is new; after `steps`, or a step without a new fact, the jury begins. An actor who knows the
workspace proposes, a critic agrees or objects, in turn, until it agrees or `rounds` are over (the public code: 8 words,
which are 4 rounds). The actor's last word is the answer.

So a prompt grows with what is known, not with what was said. Differs from the paper: the explorer is any agent, with
what tools it has; no model formats the answer, since a role's typed output does. A critic without a verdict does not
agree. Calls: 2 a step and 2 a round; with one of each, four.
"""

from orchestra.engine import START, Accepted, Edge, MaxRounds, Node, Said, last
from orchestra.team import Agent, Team
from orchestra.team.actors.workspace import Informed, Workspace

ROLES = {"explorer": ("explorer",), "scribe": ("scribe",), "actor": ("solver",), "critic": ("reviewer",)}


def jury(explorer: Agent, scribe: Agent, actor: Agent, critic: Agent, *, steps: int = 5, rounds: int = 4) -> Team:
    """Explorer and scribe fill the workspace; actor and critic judge it."""
    explore = Team(
        "explore",
        [Node("explorer", explorer), Node("workspace", Workspace(scribe))],
        [Edge(START, "explorer"), Edge("explorer", "workspace"), Edge("workspace", "explorer", "temporal")],
        Said(("workspace",)) | MaxRounds(steps),
        last("workspace"),
    )
    judge = Team(
        "judge",
        [Node("actor", actor), Node("critic", critic)],
        [Edge(START, "actor"), Edge("actor", "critic"), Edge("critic", "actor", "temporal")],
        Accepted(("critic",)) | MaxRounds(rounds),
        last("actor"),
    )
    return Team(
        "jury",
        [Node("explore", explore), Node("judge", Informed(judge))],
        [Edge(START, "explore"), Edge("explore", "judge")],
        output=last("judge"),
    )
