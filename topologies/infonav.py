"""Two who know different things talk until both know enough (iAgents and its InfoNav, Liu et al., arXiv 2406.14928).

Protocol: each is told its own private line (`Task.private`, by seat) and keeps a list of the facts that it needs: what
it puts in brackets is on the list and open, a line `fact: value`, or a JSON object, fills it. In a turn the first
speaks and then the second; whatever they say, their message asks for the facts that are open, and an answer does not
count as long as one is. The talk ends when both give the same answer in a turn, or after `turns`; then both lists are
made one, which the decider reads to give the answer. What a partner was asked for in an earlier turn, and did not tell,
is put to the `others`, one level of third parties, agents or teams with private lines of their own.

Differs from the paper: marking, filling and speaking are one call and not three; agreement is counted, so the decider
is asked only without one; everyone may be asked by everyone, where the paper has a network of contacts. Without a
decider's answer the last one that was given stands. Calls: two a turn, one for each third party that is asked, one for
the decider. Where both answer alike at once it takes two calls.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestra.engine import START, Edge, History, MaxRounds, Node, Quorum, last
from orchestra.errors import BadInput
from orchestra.team import Agent, Team, register
from orchestra.team.actors.distinct import Same
from orchestra.team.actors.navigator import Fact, Navigator, at_home, merged
from orchestra.types import AnswerKind, Reply

ROLES = {"agents": ("navigator",) * 2, "decider": ("decider",)}


def infonav(
    agents: Sequence[Agent],
    decider: Agent,
    others: Sequence[Agent | Team] = (),
    *,
    turns: int = 10,
    kind: AnswerKind = "text",
) -> Team:
    """Two navigators, one who decides where they do not agree, and others whom both may ask."""
    if len(agents) != 2:
        raise BadInput(f"infonav of {len(agents)}: expected two agents, and whoever they may ask as others")
    (first, second), third = agents, tuple(other.name for other in others)
    a, b = first.name, second.name
    same = Same(kind)
    talk = Team(
        "talk",
        [
            Node(a, Navigator(first, b, third)),
            Node(b, Navigator(second, a, third)),
            *(Node(other.name, other, votes=False) for other in others),
        ],
        [
            *(Edge(START, name) for name in (a, b)),
            Edge(a, b, carry=at_home),
            Edge(b, a, "temporal", carry=at_home),
            *(Edge(name, other, carry=at_home) for name in (a, b) for other in third),
            *(Edge(other, name, "temporal") for name in (a, b) for other in third),
        ],
        Quorum(1 / 2, same) | MaxRounds(turns),
        Consensus(decider.name, same),
    )
    nodes = [Node("talk", talk), Node(decider.name, decider)]
    return Team("infonav", nodes, [Edge(START, "talk"), Edge("talk", decider.name)], output=last(decider.name))


@register("infonav_consensus")
@dataclass(frozen=True, slots=True)
class Consensus:
    """The answer that both give, of which nobody hears; else their lists made one, for whoever decides."""

    to: str
    same: Callable[[str, str], bool]

    def __call__(self, history: History) -> Reply:
        votes = history.standing().votes
        answers = [vote.answer for vote in votes if vote.answer is not None]
        agreed = len(answers) == 2 and self.same(*answers)
        facts = merged([vote.parsed for vote in votes])
        lines = [*map(_line, facts), *(f"{vote.sender}: {vote.content}" for vote in votes)]
        content = votes[-1].content if agreed else "\n".join(lines)
        answer = answers[-1] if answers else None
        return Reply(content, answer, facts, sends={} if agreed else {self.to: content})


def _line(fact: Fact) -> str:
    return f"{fact.name}: {fact.value or 'not known'}"
