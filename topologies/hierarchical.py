"""A planner and its workers: a plan from a closed palette, carried out and replanned (AgentOrchestra, 2506.12508).

Protocol: the boss writes a plan of at most `steps` steps, each for one of the workers; steps run as soon as those that
they need are completed, as a team that is built then. A step is not_started, in_progress, completed (its worker
answered) or blocked (it abstained or failed). Blocked steps are tried again; after `patience` waves in a row that
complete nothing the boss is shown the states and plans anew, and what a new plan repeats of the work done stays done.
When all steps are completed the boss answers, or plans on. Without an answer after `rounds` the last step's stands.

Beyond the paper: steps run side by side, a worker outside the palette is refused with the reason, and plans are the
memory of a run, where the public code keeps them on a class that all runs share. Workers may be teams. Where the boss
answers at once it is `solo`.
"""

from collections.abc import Sequence

from orchestra.engine import START, Edge, MaxRounds, Node, Said, last
from orchestra.errors import BadInput
from orchestra.team import Agent, Team
from orchestra.team.actors.foreman import Foreman

ROLES = {"boss": ("planner",), "workers": ("solver",) * 2}


def hierarchical(
    boss: Agent, workers: Sequence[Agent | Team], *, rounds: int = 10, steps: int = 5, patience: int = 2
) -> Team:
    """A boss that plans, and workers that it knows by name."""
    palette = {worker.name: worker for worker in workers}
    if not workers or len(palette) < len(workers):
        raise BadInput(f"hierarchical workers {[w.name for w in workers]}: expected one at least, of different names")
    return Team(
        "hierarchical",
        [Node("planner", Foreman(boss, palette, steps, patience))],
        [Edge(START, "planner"), Edge("planner", "planner", "temporal")],
        Said() | MaxRounds(rounds),
        last("planner"),
    )
