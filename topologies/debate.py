"""Multi-agent debate (Du et al., arXiv 2305.14325): all answer, then answer again having read their neighbours.

Protocol: simultaneous within a round; an agent's own chat is its memory, not an edge; majority of the last answers.
Beyond the paper: any graph of who reads whom (sparse ones keep accuracy for fewer tokens, arXiv 2406.11776); an early
stop once more than floor(share x n) of a round agree; with `distinct` an agent reads each answer once (S2-MAD, arXiv
2502.04790, which also drops what its reader said itself); with a judge the last word is the judge's, who reads the last
answers of all, and no majority is taken (safety debates, arXiv 2505.22960). Agents may differ in persona and in model.

n agents take at most n x rounds calls, and one for the judge. With one round it is an ensemble vote.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestra.engine import START, Edge, History, MaxRounds, Node, Quorum, last, majority
from orchestra.errors import BadInput
from orchestra.team import Agent, Team, register
from orchestra.team.actors.distinct import Distinct, Same
from orchestra.types import AnswerKind, Reply

ROLES = {"agents": ("debater",) * 4}

Shape = Literal["full", "ring", "star"]


def debate(
    agents: Sequence[Agent],
    *,
    rounds: int = 2,
    graph: Shape | Any = "full",
    share: float = 2 / 3,
    kind: AnswerKind | None = None,
    distinct: bool = False,
    judge: Agent | None = None,
) -> Team:
    """Agents who read each other: `full`, `ring` (both neighbours), `star` (all read the first, and it reads all), a
    networkx graph, or pairs (a, b) that say that b reads a. Their nodes are the agents' names, or 0, 1, 2 and so on.

    `kind` says how answers are compared; None: as texts.
    """
    names = [agent.name for agent in agents]
    if len(names) < 2:
        raise BadInput(f"debate of {len(names)}: expected at least two agents")
    same = {} if kind is None else {"same": Same(kind)}
    outcome = majority(**same)
    talk = Team(
        "debate",
        [Node(a.name, Distinct(a, kind or "text") if distinct else a) for a in agents],
        [*(Edge(START, name) for name in names), *(Edge(a, b, "temporal") for a, b in _links(names, graph))],
        Quorum(share, **same) | MaxRounds(rounds),
        outcome if judge is None else Handed(judge.name, outcome),
    )
    if judge is None:
        return talk
    nodes = [Node("debate", talk, votes=False), Node(judge.name, judge)]
    return Team("debate", nodes, [Edge(START, "debate"), Edge("debate", judge.name)], output=last(judge.name))


@register("debate_handed")
@dataclass(frozen=True, slots=True)
class Handed:
    """What a debate amounts to, and each agent's last message for the judge."""

    to: str
    outcome: Callable[[History], Reply]

    def __call__(self, history: History) -> Reply:
        said = self.outcome(history)
        return Reply(said.content, said.answer, said.parsed, sends={self.to: tuple(history.standing().votes)})


def _links(names: Sequence[str], graph: Any) -> list[tuple[str, str]]:
    """Who is read by whom, in order of declaration."""
    n = len(names)
    every = [(i, j) for i in range(n) for j in range(n) if i != j]
    named: dict[str, Collection[tuple[int, int]]] = {
        "full": every,
        "ring": [(i, j) for i, j in every if (i - j) % n in (1, n - 1)],
        "star": [(i, j) for i, j in every if 0 in (i, j)],
    }
    if isinstance(graph, str) and graph not in named:
        raise BadInput(f"debate graph {graph!r}: expected one of {', '.join(named)}, a networkx graph, or pairs")
    linked = named[graph] if isinstance(graph, str) else _pairs(names, graph)
    return [(names[i], names[j]) for i, j in every if (i, j) in linked]


def _pairs(names: Sequence[str], graph: Any) -> Collection[tuple[int, int]]:
    """The links of a graph by number of agent; those of one without directions go both ways."""
    number: dict[Any, int] = {i: i for i in range(len(names))} | {name: i for i, name in enumerate(names)}
    try:
        pairs = {(number[a], number[b]) for a, b, *_ in getattr(graph, "edges", graph)}
        for node in getattr(graph, "nodes", ()):
            number[node]
    except KeyError as error:
        known = f"{', '.join(names)}, or 0 to {len(names) - 1}"
        raise BadInput(f"debate graph has a node {error.args[0]!r}; expected names of its agents: {known}") from None
    except (TypeError, ValueError) as error:
        raise BadInput(f"debate graph {graph!r:.80}: {error}; expected a name, a networkx graph, or pairs") from None
    directed = getattr(graph, "is_directed", lambda: True)()
    return pairs if directed else pairs | {(b, a) for a, b in pairs}
