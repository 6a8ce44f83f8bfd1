"""A chief over a team of solver and critics (the CEO of MAS-TTS, Jin et al., arXiv 2504.09772).

Protocol, a turn: the chief sets how many experts work, how many tokens they may spend and in which direction, or stops;
a recruiter describes the experts; the solver answers, and in up to `inner` rounds all critics review its word together,
ending with [Agree] or [Disagree]: where all agree it stands, else the solver reads them and answers again. An evaluator
accepts, or sends its advice to the chief, for up to `turns`.

Size, tokens and stop are scored choices on the record. The stop is obeyed (the public code parses it and never reads
it), and cannot be had before there is a solution. The tokens are a hard cap of the team. A critic that says neither, or
fails, does not agree. Calls of a turn: chief 3 (2 without amounts of tokens to choose among, 1 to stop), recruiter 1,
solver and critics 1 to 1 + inner x size, evaluator 1. With one expert the team is `solo`.

`m500` exports a trajectory as a row of M500, the data set that the paper's models were trained on.
"""

from collections.abc import Sequence
from typing import Any, Final

from orchestra.engine import START, Accepted, Edge, MaxRounds, Node, Said, last
from orchestra.team import Agent, Team
from orchestra.team.actors.chief import Chief
from orchestra.team.actors.experts import Experts
from orchestra.trajectory.trajectory import Leaf, Trajectory

ROLES = {
    "chief": ("chief",),
    "recruiter": ("recruiter",),
    "solver": ("solver",),
    "critics": ("reviewer",) * 3,
    "evaluator": ("evaluator",),
}


def ceo(
    chief: Agent,
    recruiter: Agent,
    solver: Agent,
    critics: Sequence[Agent],
    evaluator: Agent,
    *,
    turns: int = 2,
    inner: int = 3,
    tokens: tuple[int, ...] = (2048, 4096, 8192, 16384, 32000),
) -> Team:
    """A chief that chooses among 1 to 1 + len(critics) experts, and these amounts of tokens; none: no cap."""
    sizes = tuple(range(1, 2 + len(critics)))
    return Team(
        "ceo",
        [
            Node("chief", Chief(chief, sizes, tokens), votes=False),
            Node("recruiter", recruiter, votes=False),
            Node("team", Experts(solver, tuple(critics), inner)),
            Node("evaluator", evaluator, votes=False),
        ],
        [
            Edge(START, "chief"),
            Edge("chief", "recruiter"),
            *(Edge(name, "team") for name in ("chief", "recruiter")),
            Edge("team", "evaluator"),
            *(Edge(a, b, "temporal") for b in ("chief", "team") for a in ("team", "evaluator")),
        ],
        Said(("chief",)) | Accepted(("evaluator",)) | MaxRounds(turns),
        last("team"),
    )


COLUMNS: Final = {
    "recruiter": "expert_recruiter_messages",
    "solver": "problem_solver_messages",
    "critic": "critic_messages",
    "evaluator": "evaluator_messages",
}
"""Column of M500 for each of the seats whose words it holds."""


def m500(trajectory: Trajectory, leaf: Leaf | None = None) -> dict[str, Any]:
    """A run of `ceo` as a row of M500: question, solution and a list of {role, content} messages for each seat.

    Messages stand in canonical order, those of all critics together, a system turn only at the beginning of a list.
    Calls that failed or could not be read are left out. Of a tree it takes one `leaf`.
    """
    leaf = leaf or trajectory.leaf
    row: dict[str, Any] = {"question": trajectory.task.prompt, "solution": leaf.content}
    row |= {column: list[dict[str, str]]() for column in COLUMNS.values()}
    for made in trajectory.path(leaf):
        column = COLUMNS.get(made.path.rpartition("/")[2].partition("-")[0])
        if column is None or made.completion is None or made.error:
            continue
        asked = [turn for turn in made.request.messages if turn[0] != "system" or not row[column]]
        turns = [*asked, ("assistant", made.completion.text)]
        row[column] += [{"role": role, "content": content} for role, content in turns]
    return row
