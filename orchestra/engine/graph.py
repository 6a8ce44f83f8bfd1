"""A team as a frozen graph: named actors, edges to this round and the next, a stop and an output. Checked when made."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Final, Literal, NamedTuple

from orchestra.engine.actor import Actor
from orchestra.engine.outputs import Last, Output
from orchestra.engine.stops import Never, Stop
from orchestra.errors import BadTeam
from orchestra.types import Message

START: Final = "start"
"""Source of an entry edge: carries the team's own inbox, in the first round."""

NODES, EDGES = 10_000, 1_000_000
"""The largest graph that is accepted."""

LISTED: Final = 20
"""Names and faults that one message lists."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.>@ -]{0,79}")
_STRANGE = re.compile(r"[^A-Za-z0-9_.>@ -]")


@dataclass(frozen=True, slots=True)
class Node:
    """A named actor."""

    name: str
    actor: Actor
    when: Callable[[Sequence[Message]], bool] | None = None
    """A join: fires as soon as this holds for a committed prefix of its inbox, and not at all if it never does."""
    votes: bool = True
    """Counts in quorums and majorities. One that does not may hold back the votes of others, by what it passes on."""
    on_error: Literal["abstain", "fail"] = "abstain"
    """What a failure of the actor does: the node falls silent this round, or the run fails."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Carries its source's message, in the same round or to the next."""

    src: str
    dst: str
    kind: Literal["spatial", "temporal"] = "spatial"
    carry: Callable[[Message], Message | None] | None = None
    """A pure transform; None is silence."""


class Plan(NamedTuple):
    """A graph as the loop reads it: nodes by number, in canonical order."""

    order: tuple[int, ...]
    """Node numbers by spatial rank, then declaration."""
    place: tuple[int, ...]
    """Place in `order` of each node."""
    ins: tuple[tuple[int, ...], ...]
    """Edge numbers into each node, in order of declaration."""
    outs: tuple[tuple[int, ...], ...]
    source: tuple[int, ...]
    """Of each edge: node number; -1 is START."""
    target: tuple[int, ...]
    temporal: tuple[bool, ...]
    optional: tuple[bool, ...]
    """Whether a node leads to joins of its round and nowhere else: they may fire without it."""
    entries: tuple[int, ...]
    """Edges from START."""
    first: tuple[int, ...]
    """How many edges into each node are open in round 0."""
    later: tuple[int, ...]
    """The same in any later round, and one more: its own activation of the round before, whose memory it has."""
    committed: tuple[tuple[int, ...], ...]
    """Edges into each node in the order in which what they carry is committed."""
    joins: bool
    """Whether any node is a join."""
    cyclic: bool
    """Whether any edge is temporal."""
    late: tuple[int, ...]
    """Temporal edges."""
    carries: tuple[bool, ...]
    """Whether any edge out of a node changes what it carries."""
    near: tuple[frozenset[str], ...]
    """Names of each node's successors."""
    number: dict[str, int]
    """Of each node, by name."""
    voters: dict[str, None]
    """Names, in order of declaration."""


@dataclass(frozen=True)
class Graph:
    """What the loop needs. Raises BadTeam, naming every offending node, if it cannot run."""

    name: str
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    stop: Stop = field(default_factory=Never)
    output: Output = field(default_factory=Last)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "edges", tuple(self.edges))
        object.__setattr__(self, "plan", _compile(self))

    plan: Plan = field(init=False, repr=False, compare=False, default=None)  # type: ignore[assignment]


def _compile(graph: Graph) -> Plan:
    faults = list(islice(_faults(graph), LISTED + 1))
    if not faults:
        number = {node.name: i for i, node in enumerate(graph.nodes)}
        source = tuple(number.get(edge.src, -1) for edge in graph.edges)
        target = tuple(number[edge.dst] for edge in graph.edges)
        temporal = tuple(edge.kind == "temporal" for edge in graph.edges)
        ranks, stuck = _ranks(len(graph.nodes), source, target, temporal)
        if stuck:
            names = _quoted([graph.nodes[i].name for i in stuck])
            faults.append(f"spatial edges form a cycle through {names}; make one of them temporal")
        faults += _unreachable(graph, source, target)
    if faults:
        more = ["and more"] if len(faults) > LISTED else []
        raise BadTeam(f"team {graph.name[:90]!r}: " + "; ".join([*faults[:LISTED], *more]))
    order = tuple(sorted(range(len(graph.nodes)), key=lambda i: (ranks[i], i)))
    place = [0] * len(order)
    for at, i in enumerate(order):
        place[i] = at
    ins, outs = (tuple(map(tuple, _by(ends, len(order)))) for ends in (target, source))
    joins = [graph.nodes[i].when is not None and not late for i, late in zip(target, temporal, strict=True)]
    optional = tuple(bool(edges) and all(joins[edge] for edge in edges) for edges in outs)
    first = tuple(sum(not temporal[edge] for edge in edges) for edges in ins)
    later = tuple(1 + sum(source[edge] >= 0 for edge in edges) for edges in ins)

    def when(edge: int) -> tuple[bool, int]:
        now = source[edge] >= 0 and not temporal[edge]
        return now, place[source[edge]] if source[edge] >= 0 else -1

    return Plan(
        order, tuple(place), ins, outs, source, target, temporal, optional,
        entries=tuple(edge for edge, end in enumerate(source) if end < 0), first=first, later=later,
        committed=tuple(tuple(sorted(edges, key=when)) for edges in ins),
        joins=any(node.when is not None for node in graph.nodes), cyclic=any(temporal),
        late=tuple(edge for edge, is_late in enumerate(temporal) if is_late),
        carries=tuple(any(graph.edges[edge].carry is not None for edge in edges) for edges in outs),
        near=tuple(frozenset(graph.nodes[target[edge]].name for edge in edges) for edges in outs), number=number,
        voters=dict.fromkeys(node.name for node in graph.nodes if node.votes),
    )  # fmt: skip


def _by(ends: Sequence[int], nodes: int) -> list[list[int]]:
    lists: list[list[int]] = [[] for _ in range(nodes)]
    for edge, end in enumerate(ends):
        if end >= 0:
            lists[end].append(edge)
    return lists


def too_large(nodes: int, edges: int) -> str | None:
    """What to say of a graph of that size, if it is not accepted; a loader asks before it makes the parts.

    >>> too_large(10_000, 1_000_000), too_large(10_001, 0)
    (None, '10,001 nodes and 0 edges; at most 10,000 and 1,000,000 are accepted')
    """
    if nodes <= NODES and edges <= EDGES:
        return None
    return f"{nodes:,} nodes and {edges:,} edges; at most {NODES:,} and {EDGES:,} are accepted"


def _faults(graph: Graph) -> Iterable[str]:
    if not _NAME.fullmatch(graph.name):
        yield f"the name must be 1 to 80 plain characters, got {graph.name[:90]!r}"
    if not graph.nodes:
        yield "it has no nodes; add one"
    if said := too_large(len(graph.nodes), len(graph.edges)):
        yield said
        return
    seen: dict[str, str] = {}
    for node in graph.nodes:
        if not _NAME.fullmatch(node.name):
            yield _misnamed(node.name)
        elif node.name == START:
            yield f"node name {START!r} is taken by the entry"
        actor: object = node.actor  # of a loaded team it may be anything
        if not callable(actor):
            yield f"node {node.name!r}: expected an actor, got {actor!r}"
        key = unicodedata.normalize("NFKC", node.name).casefold()
        if key in seen:
            second = f" and {node.name[:90]!r}" if seen[key] != node.name else ""
            yield f"two nodes are called {seen[key][:90]!r}{second}; rename one"
        seen[key] = node.name
    names = {node.name for node in graph.nodes}
    for edge in graph.edges:
        if unknown := [end for end in (edge.src, edge.dst) if end not in names and (end != START or end == edge.dst)]:
            yield f"edge {edge.src[:90]!r} -> {edge.dst[:90]!r}: no node {_quoted(unknown)}{_near(unknown[0], names)}"
        if edge.src == START and edge.kind == "temporal":
            yield f"edge {START!r} -> {edge.dst[:90]!r} must be spatial"
    if not any(edge.src == START for edge in graph.edges):
        yield f"it has no entry; add an edge from {START!r}"
    if any(edge.kind == "temporal" for edge in graph.edges) and graph.stop.rounds == math.inf:
        yield "it has temporal edges and its stop has no bound on rounds; add | MaxRounds(n)"
    named = [*getattr(graph.output, "names", ()), *_named(graph.stop)]
    if missing := [name for name in named if name not in names]:
        yield f"its output or stop names {_quoted(missing)}, which is no node{_near(missing[0], names)}"
    yield from _misrouted(graph)


def _misrouted(graph: Graph) -> Iterable[str]:
    """Routers whose closed set of `branches` is not the set of nodes that their edges lead to."""
    routers = [node for node in graph.nodes if getattr(node.actor, "branches", ())]
    near: dict[str, dict[str, None]] = {node.name: {} for node in routers}
    for edge in graph.edges:
        if edge.src in near:
            near[edge.src][edge.dst] = None
    for node in routers:
        branches, led = getattr(node.actor, "branches", ()), near[node.name]
        if set(branches) != led.keys():
            to = _quoted(led) or "no node"
            yield f"node {node.name!r} chooses among {_quoted(branches)}, its edges lead to {to}; make these equal"


def _misnamed(name: str) -> str:
    strange = _STRANGE.search(name)
    got = "" if strange is None else f", got U+{ord(strange[0]):04X} {unicodedata.name(strange[0], '')}".rstrip()
    return f"node name {name[:90]!r}: expected 1 to 80 of A-Z, a-z, 0-9, '_', '-', '.', '>', '@' and blanks{got}"


def _near(name: str, names: Collection[str]) -> str:
    """A suggestion, unless there are so many names that looking for one takes long."""
    near = get_close_matches(name[:90], names, n=1, cutoff=0.5) if len(names) <= 500 else []
    return f", did you mean {near[0]!r}?" if near else ""


def _quoted(names: Collection[str]) -> str:
    more = [f"and {len(names) - LISTED:,} more"] if len(names) > LISTED else []
    return ", ".join([*(repr(name[:90]) for name in islice(names, LISTED)), *more])


def _named(stop: Stop) -> list[str]:
    """Nodes that a stop, or a part of it, names."""
    parts = [part for part in (getattr(stop, "first", None), getattr(stop, "second", None)) if isinstance(part, Stop)]
    return [*getattr(stop, "by", ()), *(name for part in parts for name in _named(part))]


def _ranks(
    nodes: int, source: Sequence[int], target: Sequence[int], temporal: Sequence[bool]
) -> tuple[list[int], list[int]]:
    """Longest spatial path to each node, and the nodes that stand on or behind a spatial cycle."""
    after: list[list[int]] = [[] for _ in range(nodes)]
    waiting = [0] * nodes
    for src, dst, late in zip(source, target, temporal, strict=True):
        if src >= 0 and not late:
            after[src].append(dst)
            waiting[dst] += 1
    ranks, free = [0] * nodes, [i for i in range(nodes) if not waiting[i]]
    for i in free:
        for j in after[i]:
            ranks[j] = max(ranks[j], ranks[i] + 1)
            waiting[j] -= 1
            if not waiting[j]:
                free.append(j)
    return ranks, [i for i in range(nodes) if waiting[i]]


def _unreachable(graph: Graph, source: Sequence[int], target: Sequence[int]) -> list[str]:
    outs = _by(source, len(graph.nodes))
    found = {target[e] for e in range(len(source)) if source[e] < 0}
    queue = list(found)
    for i in queue:
        for e in outs[i]:
            if target[e] not in found:
                found.add(target[e])
                queue.append(target[e])
    lost = [node.name for i, node in enumerate(graph.nodes) if i not in found]
    return [f"no path from {START!r} to {_quoted(lost)}; add an edge, or leave it out"] if lost else []
