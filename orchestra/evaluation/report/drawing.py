"""The team of an evaluation as a picture, with what all its runs did laid over it.

A folder that holds `team.json` shows the team as it was saved. Without one the picture shows what the runs recorded:
who spoke, and who read whom. An edge that no message ever passed is not in it, nor is the stop.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestra.engine import START, Context, Edge, Graph, History, Node
from orchestra.engine.stops import Stop
from orchestra.errors import BadTeam
from orchestra.evaluation.diagnostics.communication import communication, readings
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.team.draw import Activity, Overlay, overlay, svg
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Reply, Usage, View

SAVED: Final = "team.json"
MOST: Final = 60
"""Nodes that a picture on a page can show."""

Drawing = tuple[Graph, Overlay]
Address = tuple[str, ...]
Pair = tuple[str, str]
"""Sender and reader."""


def picture(folder: Path, name: str, runs: Sequence[Trajectory]) -> str | None:
    """SVG text; None for a team of too many nodes, and where the runs tell of no team: nobody called a model."""
    saved = folder / SAVED
    try:
        graph, laid = as_saved(Team.load(saved, Scripted(())), runs) if saved.exists() else as_recorded(name, runs)
    except BadTeam:  # of the record alone: one that was saved could run
        return None
    return svg(graph, laid) if len(graph.nodes) <= MOST else None


def as_saved(team: Graph, runs: Sequence[Trajectory]) -> Drawing:
    """The team, and the sum of what each run did in it."""
    nodes: dict[Address, Activity] = defaultdict(Activity)
    carried: Counter[tuple[Address, int]] = Counter()
    for laid in (overlay(team, run) for run in runs):
        carried.update(laid.carried)
        for place, did in laid.nodes.items():
            nodes[place] = _both(nodes[place], did)
    return team, Overlay(nodes, carried, (_ended(runs),))


def as_recorded(name: str, runs: Sequence[Trajectory]) -> Drawing:
    """Who spoke and who read whom in these runs. Edges within a round point from those that spoke earlier.

    Raises BadTeam where nobody spoke.
    """
    agents = communication(runs).agents
    messages, late = _read(runs)
    order = {
        who: number for number, who in enumerate(dict.fromkeys([*agents, *(a for pair in messages for a in pair)]))
    }
    within = {(a, b) for a, b in messages if (a, b) not in late and order[a] < order[b]}
    first = [who for who in order if all(reader != who for _, reader in within)]
    edges = [Edge(START, _label(who)) for who in first]
    edges += [Edge(_label(a), _label(b), "spatial" if (a, b) in within else "temporal") for a, b in messages]
    graph = Graph(_label(name), [Node(_label(who), _silent) for who in order], edges, NotRecorded(), not_recorded)
    nodes: dict[Address, Activity] = {
        (_label(who),): Activity(cost.calls, usage=Usage(cost.calls, cost.tokens_in, cost.tokens_out))
        for who, cost in agents.items()
    }
    counts = [len(runs)] * len(first) + list(messages.values())
    return graph, Overlay(nodes, {((), edge): count for edge, count in enumerate(counts)}, (_ended(runs),))


class NotRecorded(Stop):
    """In the place of a stop, of which runs do not tell."""

    __slots__ = ()

    @property
    def rounds(self) -> float:
        return 1.0

    def __call__(self, history: History) -> str | None:
        return None

    def soonest(self, history: History) -> int:
        return 1


def not_recorded(history: History) -> Reply:
    """In the place of an output."""
    return Reply()


async def _silent(view: View, ctx: Context) -> Reply:
    return Reply()


def _read(runs: Sequence[Trajectory]) -> tuple[Counter[Pair], set[Pair]]:
    """How many messages of a first were read by a second, and the pairs of which some were of an earlier round."""
    messages: Counter[Pair] = Counter()
    late: set[Pair] = set()
    for run in runs:
        rounds = {message.id: message.round for message in run.messages}
        for pair, message, round in {(r[:2], r.message, r.round) for r in readings(run)}:
            messages[pair] += 1
            if rounds[message] != round:
                late.add(pair)
    return messages, late


def _label(name: str) -> str:
    """A name that a graph accepts."""
    return re.sub("[^A-Za-z0-9_.>@ -]", ">", name).strip(">.-@ ")[:80] or "node"


def _both(a: Activity, b: Activity) -> Activity:
    return Activity(
        a.activations + b.activations,
        usage=a.usage + b.usage,
        failed=a.failed + b.failed,
        abstained=a.abstained + b.abstained,
        errors=a.errors + b.errors,
    )


def _ended(runs: Sequence[Trajectory]) -> str:
    usage = sum((run.usage for run in runs), Usage())
    return f"{len(runs):,} runs: {usage.calls:,} calls, {usage.tokens_in:,} + {usage.tokens_out:,} tokens"
