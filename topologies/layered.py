"""Layers of agents, each a team whose words are made one for the next layer (agentic neural networks, 2506.09046).

Protocol: the agents are divided into `layers` of equal size, as far as that goes. All of a layer answer, each having
heard what the layer before came to; the aggregation of that layer, by name, makes one message of theirs:

    majority        the most frequent answer
    concatenation   all that was said, each under its speaker's name
    last            members speak in turn, each hearing those before it; the last one's word
    judge           the judge reads them all and answers

One name stands for all layers, or one a layer is given, joined by commas. Differs from the paper: which aggregation a
layer has is chosen when the team is made, not by a model in the run, and its backward phase, edits of prompts and
wiring that are kept where a validation score rises, works on a team as data (`Team.patch`). Calls: one an agent, and
one for each layer with a judge. A last layer without an answer leaves that of the one before it. One layer of
`majority` is `ensemble`; with one agent it is `solo`.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Final

from orchestra.engine import START, Edge, Node, everything, last, majority
from orchestra.engine.outputs import LastAnswer
from orchestra.errors import BadInput, UnknownName
from orchestra.team import Agent, Team

ROLES = {"agents": ("solver",) * 4}

AGGREGATIONS: Final = ("majority", "concatenation", "last", "judge")


def layered(
    agents: Sequence[Agent],
    judge: Agent | None = None,
    *,
    layers: int = 2,
    aggregate: str = "majority",
) -> Team:
    """Agents in so many layers, each hearing what the one before it came to."""
    ways = aggregate.split(",") if "," in aggregate else [aggregate] * layers
    if not 1 <= layers <= len(agents) or len(ways) != layers:
        raise BadInput(
            f"layered of {len(agents)} agents, layers={layers!r}, aggregate={aggregate!r}: expected 1 to "
            f"{len(agents)} layers, and one aggregation for all or one for each"
        )
    cuts = [i * len(agents) // layers for i in range(layers + 1)]
    teams = [
        _layer(f"layer-{number}", agents[start:end], way, judge)
        for number, ((start, end), way) in enumerate(zip(pairwise(cuts), ways, strict=True), start=1)
    ]
    names = [team.name for team in teams]
    edges = [Edge(START, names[0]), *(Edge(a, b) for a, b in pairwise(names))]
    return Team("layered", [Node(team.name, team) for team in teams], edges, output=LastAnswer())


def _layer(name: str, members: Sequence[Agent], way: str, judge: Agent | None) -> Team:
    names = [member.name for member in members]
    nodes, edges = [Node(member.name, member) for member in members], [Edge(START, member) for member in names]
    if way not in AGGREGATIONS:
        raise UnknownName("aggregation of layered", way, AGGREGATIONS)
    if way == "majority":
        return Team(name, nodes, edges, output=majority())
    if way == "concatenation":
        return Team(name, nodes, edges, output=everything())
    if way == "last":
        return Team(name, nodes, [*edges, *(Edge(a, b) for a, b in combinations(names, 2))], output=last(names[-1]))
    if judge is None:
        raise BadInput(f"layered, {name}: the aggregation 'judge' needs a judge; fix: --role judge=judge")
    nodes.append(Node(judge.name, judge))
    return Team(name, nodes, [*edges, *(Edge(member, judge.name) for member in names)], output=last(judge.name))
