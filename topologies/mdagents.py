"""MDAgents (Kim et al., arXiv 2404.15155): how hard a task is decides who works on it: one, a group, or several teams.

Protocol: a triage chooses `solo`, `group` or `teams`, a scored choice from a closed set and a decision on the record. A
group answers, and answers again having read each other and the moderator's review, until more than floor(share x n)
agree (0.99: all) or `rounds` are over; then the majority of the last answers counts. Teams of `size` work one after
another: members answer, their lead (the first of each) reports; a team reads the reports of those before it, and the
decider reads them all.

Differs from the paper: experts are given, not recruited by name of a speciality; talk is by rounds, not by turns that
are asked for; the vote is counted, where the public code asks a model to count. Known defects of that code that
cannot occur here: a reply `not basic` that is routed to basic, and reports that are built and dropped. Calls: triage 1,
then solo 1, a group of n at most n x rounds + rounds - 1, teams of m agents m + 1. Routed to solo it is `solo`.
"""

from collections.abc import Sequence
from dataclasses import replace

from orchestra.engine import START, Actor, Edge, MaxRounds, Node, Quorum, last, majority
from orchestra.errors import BadInput
from orchestra.team import Agent, Route, Team, register
from orchestra.topologies.chain import chain
from orchestra.types import Message

ROLES = {
    "triage": ("triage",),
    "solo": ("generator",),
    "group": ("solver",) * 3,
    "moderator": ("moderator",),
    "teams": ("solver",) * 9,
    "decider": ("decider",),
}


def mdagents(
    triage: Agent,
    solo: Agent,
    group: Sequence[Agent],
    moderator: Agent,
    teams: Sequence[Agent],
    decider: Agent,
    *,
    size: int = 3,
    rounds: int = 5,
    share: float = 0.99,
) -> Team:
    """Solo, a group with a moderator, or teams that report to a decider, as the triage chooses."""
    if not group or not teams or size < 1:
        raise BadInput(f"mdagents group of {len(group)}, {len(teams)} in teams of {size!r}: expected one at least each")
    reports = [_reporting(f"team-{i // size + 1}", teams[i : i + size]) for i in range(0, len(teams), size)]
    branches: dict[str, Actor] = {"solo": solo, "group": _group(group, moderator, rounds, share)}
    branches["teams"] = chain(*reports, decider)
    return Team(
        "mdagents",
        [
            Node("triage", Route(triage, tuple(branches)), votes=False),
            *(Node(name, actor) for name, actor in branches.items()),
        ],
        [Edge(START, "triage"), *(Edge("triage", name, carry=turn_alone) for name in branches)],
        output=last(*branches),
    )


@register("turn_alone")
def turn_alone(message: Message) -> Message:
    """A router's word without its text: whom it chose is nothing to read."""
    return replace(message, content="", parsed=None) if message.sender == "triage" else message


def _group(experts: Sequence[Agent], moderator: Agent, rounds: int, share: float) -> Team:
    """The moderator comes first in a round and reads the one before, so that none is asked after the last vote."""
    names = [expert.name for expert in experts]
    heard = [Edge(a, b, "temporal") for b in names for a in names if a != b]
    return Team(
        "group",
        [Node("moderator", moderator, votes=False), *(Node(expert.name, expert) for expert in experts)],
        [
            *(Edge(START, name) for name in names),
            *(Edge(name, "moderator", "temporal") for name in names),
            *heard,
            *(Edge("moderator", name) for name in names),
        ],
        Quorum(share) | MaxRounds(rounds),
        majority(),
    )


def _reporting(name: str, members: Sequence[Agent]) -> Team:
    """Its first member hears the others and reports."""
    lead, *others = [member.name for member in members]
    return Team(
        name,
        [Node(member.name, member) for member in members],
        [*(Edge(START, member.name) for member in members), *(Edge(other, lead) for other in others)],
        output=last(lead),
    )
