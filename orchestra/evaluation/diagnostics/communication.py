"""What talking costs: tokens by agent, and tokens that are read again by edge and round.

A message is paid once when it is said and once more in every prompt that it stands in. Its tokens are those of the call
that said it: the ids sampled, or `usage.tokens_out` where a server tells no ids. A reader whose prompt does not hold
the message word for word (an edge shortened it, a role does not show it) is counted as a reading without tokens, and so
is a message that no single call said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestra.credit.speech import address, read_by, said_in
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Message


class Reading(NamedTuple):
    """One message in the view of one call."""

    sender: str
    reader: str
    round: int
    """Of the reader."""
    message: str
    """Its id."""
    tokens: int | None
    """None: the prompt does not hold it word for word, or its tokens are not known."""


@dataclass(frozen=True, slots=True)
class AgentCost:
    """What one agent's calls took. Nodes of nested teams are named by their path below the outermost team."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    reread: int = 0
    """Of `tokens_in`: tokens of messages that others had said."""


@dataclass(frozen=True, slots=True)
class EdgeCost:
    """What passed along one edge, or in one round."""

    messages: int = 0
    """Different ones."""
    readings: int = 0
    """One for each call that had one in its view."""
    reread: int = 0
    """Tokens of them in these prompts."""
    unknown: int = 0
    """Readings without tokens."""


@dataclass(frozen=True, slots=True)
class Communication:
    """Sums over runs."""

    runs: int
    agents: dict[str, AgentCost]
    edges: dict[tuple[str, str], EdgeCost]
    """By (sender, reader)."""
    rounds: dict[int, EdgeCost]
    """By the reader's round."""

    @property
    def reread(self) -> int:
        return sum(cost.reread for cost in self.agents.values())

    @property
    def share(self) -> float | None:
        """Of all prompt tokens, those that others had said; None where there are none."""
        total = sum(cost.tokens_in for cost in self.agents.values())
        return self.reread / total if total else None


def readings(trajectory: Trajectory) -> list[Reading]:
    """Every message in the view of every call, in order of the calls; own earlier words are memory, not messages."""
    known = {message.id: message for message in trajectory.messages}
    lengths = {id: _tokens(message, trajectory.decisions) for id, message in known.items()}
    found = []
    for decision in trajectory.decisions:
        reader = _name(decision.path)
        prompt = "\n".join(content for _, content in decision.request.messages)
        for message in read_by(decision.saw, known):
            sender = _name(address(message)[0])
            if sender != reader and message.content.strip():
                tokens = lengths[message.id] if message.content in prompt else None
                found.append(Reading(sender, reader, decision.round, message.id, tokens))
    return found


def communication(trajectories: Iterable[Trajectory]) -> Communication:
    """The cost of runs, summed. Failed calls count as calls, without tokens."""
    runs, agents = 0, defaultdict[str, AgentCost](AgentCost)
    edges, rounds = defaultdict[tuple[str, str], _Tally](_Tally), defaultdict[int, _Tally](_Tally)
    for trajectory in trajectories:
        runs += 1
        for decision in trajectory.decisions:
            name = _name(decision.path)
            agents[name] = _with_call(agents[name], decision)
        for reading in readings(trajectory):
            edges[reading.sender, reading.reader].add(trajectory.id, reading)
            rounds[reading.round].add(trajectory.id, reading)
            before = agents[reading.reader]
            agents[reading.reader] = AgentCost(
                before.calls, before.tokens_in, before.tokens_out, before.reread + (reading.tokens or 0)
            )
    return Communication(
        runs,
        dict(agents),
        {edge: tally.cost() for edge, tally in sorted(edges.items())},
        {round: tally.cost() for round, tally in sorted(rounds.items())},
    )


class _Tally:
    """Readings of one edge or round."""

    def __init__(self) -> None:
        self.messages: set[tuple[str, str]] = set()
        self.tokens: list[int | None] = []

    def add(self, run: str, reading: Reading) -> None:
        self.messages.add((run, reading.message))
        self.tokens.append(reading.tokens)

    def cost(self) -> EdgeCost:
        known = [tokens for tokens in self.tokens if tokens is not None]
        return EdgeCost(len(self.messages), len(self.tokens), sum(known), len(self.tokens) - len(known))


def _tokens(message: Message, decisions: Sequence[Decision]) -> int | None:
    made = said_in(message, decisions)
    if made is None or made.completion is None:
        return None
    ids = made.completion.output_ids
    return made.completion.usage.tokens_out if ids is None else len(ids)


def _with_call(cost: AgentCost, decision: Decision) -> AgentCost:
    if decision.completion is None:
        return AgentCost(cost.calls + 1, cost.tokens_in, cost.tokens_out, cost.reread)
    usage = decision.completion.usage
    return AgentCost(
        cost.calls + usage.calls, cost.tokens_in + usage.tokens_in, cost.tokens_out + usage.tokens_out, cost.reread
    )


def _name(path: str) -> str:
    """Of a node below the outermost team, whichever visit it was; of what is no team, its own.

    >>> _name("debate/ada"), _name("ceo/group:2/ada"), _name("solver")
    ('ada', 'group/ada', 'solver')
    """
    return re.sub(r":\d+(?=/|$)", "", path.partition("/")[2] or path)
