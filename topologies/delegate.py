"""A main agent that asks experts as often as it takes, and answers (the team of M-GRPO, arXiv 2511.13288).

Protocol: the main agent says `NAME: question`, and the expert of that name alone is asked; its task is the question,
beside its own private line. Its reply goes back to the main agent, who sees all questions and replies so far and asks
again, or answers; a reply that asks is no answer. After `calls` questions it is asked a last time. A question that
names no expert reaches nobody: the main agent is told the names, and it counts. An expert that fails has not replied,
and its question counts too.

Differs from the paper: its experts search the web with tools and plan subtasks of several turns, which here an expert
does where it is a team or its role has tools; questions are asked one at a time. Where the main agent does not answer,
the team abstains. Calls: one for each question that is asked, one for each reply to it, one to answer; where it answers
at once it is `solo`.
"""

from collections.abc import Sequence

from orchestra.engine import START, Edge, MaxRounds, Node, Said, last
from orchestra.errors import BadInput
from orchestra.team import Agent, Team
from orchestra.team.actors.asker import Asked, Asker

ROLES = {"main": ("delegator",), "experts": ("informant",) * 2}


def delegate(main: Agent, experts: Sequence[Agent | Team], *, calls: int = 4) -> Team:
    """One who answers, having asked up to that many questions, and those that it may ask."""
    names = tuple(expert.name for expert in experts)
    if not names or calls < 0:
        raise BadInput(f"delegate to {list(names)}, calls={calls!r}: expected one expert at least, and calls >= 0")
    return Team(
        "delegate",
        [
            Node(main.name, Asker(main, names, calls)),
            *(Node(expert.name, Asked(expert), votes=False) for expert in experts),
        ],
        [
            Edge(START, main.name),
            *(Edge(main.name, name) for name in names),
            *(Edge(name, main.name, "temporal") for name in (main.name, *names)),
        ],
        Said((main.name,)) | MaxRounds(calls + 1),
        last(main.name),
    )
