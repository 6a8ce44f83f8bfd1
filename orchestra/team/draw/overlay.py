"""What a run did, laid over the team that ran. Read from its record alone, so that every kept trajectory can be drawn.

An edge carried a message where the node at its end saw it: what nobody read, because a stop came first, does not count,
nor what a node saw that failed before its first call. By which way a message came is not in the record: it counts on
its sender's own edge, and where there is none on that of a node which had seen it and passed it on. Of a tree every
leaf counts, and what leaves share counts once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestra.engine.graph import Graph
from orchestra.errors import BadInput
from orchestra.team.draw.frames import framed
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Message, Usage

Address = tuple[str, ...]
"""A node of the drawn team: the names of the nested teams that it stands in, and its own. The team itself is ()."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What one node did. Calls and tokens of a nested team are those of all within it."""

    activations: int = 0
    """0: it stayed silent."""
    turns: tuple[int, ...] = ()
    """Its places in the order of speaking, from 1."""
    usage: Usage = Usage()
    answer: str | None = None
    """The last that it gave."""
    failed: int = 0
    """Activations that gave no message."""
    abstained: int = 0
    """Messages without an answer, of a node that votes."""
    errors: int = 0
    """Calls that failed, or whose reply could not be parsed."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A run, by place in the drawing. What is in neither mapping stayed silent."""

    nodes: Mapping[Address, Activity]
    carried: Mapping[tuple[Address, int], int]
    """(team, edge number) -> messages; of an edge from START how often it gave its node the task."""
    ended: tuple[str, ...]
    """How it ended and what it took, in lines."""

    def activity(self, node: Address) -> Activity:
        return self.nodes.get(node, Activity())

    def count(self, team: Address, edge: int) -> int:
        return self.carried.get((team, edge), 0)


def overlay(graph: Graph, trajectory: Trajectory) -> Overlay:
    """What the trajectory did in this team. Raises BadInput if it speaks of a node that the team does not have."""
    record = _Record(graph, trajectory)
    carried: Counter[tuple[Address, int]] = Counter()
    for receiver in record.activations:
        carried.update((receiver.place.team, edge) for edge in record.edges_used(receiver))
    return Overlay(record.activities(), carried, tuple(_ended(trajectory)))


class _Place(NamedTuple):
    """Where a path of the record lies in the graph."""

    graph: Graph
    team: Address
    visit: str
    """Path of the team's run; a team that is visited or tried again has another."""
    host: str
    """Path of the activation that the run is a part of, with its round; it brought the task."""
    node: int
    exact: bool
    """Whether the path is the node's own, not one of a child that its actor opened."""

    @property
    def address(self) -> Address:
        return (*self.team, self.graph.nodes[self.node].name)


class _Activation(NamedTuple):
    place: _Place
    round: int
    saw: tuple[str, ...]
    """Messages by the names that their senders' record has."""
    message: Message | None
    """None: it failed."""


@dataclass(slots=True)
class _Tally:
    """An Activity that is being counted."""

    activations: int = 0
    turns: list[int] = field(default_factory=list)
    usage: Usage = Usage()
    answer: str | None = None
    failed: int = 0
    abstained: int = 0
    errors: int = 0

    def closed(self) -> Activity:
        return Activity(
            self.activations, tuple(self.turns), self.usage, self.answer, self.failed, self.abstained, self.errors
        )


class _Record:
    """The activations of a trajectory, each at its place in the graph."""

    def __init__(self, graph: Graph, trajectory: Trajectory) -> None:
        self.graph, self.trajectory = graph, trajectory
        self._places: dict[str, _Place | None] = {}
        self._visit = {message.id: _path(message).rpartition("/")[0] for message in trajectory.messages}
        self.activations = [*self._spoken(), *self._failed()]
        self._by_step: dict[tuple[str, int, int], list[_Activation]] = defaultdict(list)
        self._inbox: dict[str, tuple[str, ...]] = {}
        """What came with the task, by host of a nested team."""
        for made in self.activations:
            self._by_step[made.place.visit, made.place.node, made.round].append(made)
            path = f"{made.place.visit}/{made.place.address[-1]}"
            self._inbox[f"{path}:{made.round}" if made.round else path] = made.saw

    def activities(self) -> dict[Address, Activity]:
        tallies: dict[Address, _Tally] = defaultdict(_Tally)
        for made in self.activations:
            tally = tallies[made.place.address]
            tally.activations += 1
            tally.failed += made.message is None
        spoken = [made for made in self.activations if made.message is not None]
        for turn, made in enumerate(spoken, start=1):
            answer = made.message.answer if made.message is not None else None
            tally = tallies[made.place.address]
            tally.turns.append(turn)
            tally.answer = tally.answer if answer is None else answer
            tally.abstained += answer is None and made.place.graph.nodes[made.place.node].votes
        for decision in self.trajectory.decisions:
            address = place.address if (place := self._place(decision.path)) is not None else ()
            for depth in range(1, len(address) + 1):
                tally = tallies[address[:depth]]
                tally.usage = tally.usage + (decision.completion.usage if decision.completion else Usage(calls=1))
                tally.errors += decision.error is not None
        return {address: tally.closed() for address, tally in tallies.items()}

    def edges_used(self, receiver: _Activation) -> Iterator[int]:
        """The edges on which an activation got the task and what it saw, once for each message."""
        plan, place = receiver.place.graph.plan, receiver.place
        entries = [edge for edge in plan.ins[place.node] if plan.source[edge] < 0 and receiver.round == 0]
        yield from entries
        inner = [edge for edge in plan.ins[place.node] if plan.source[edge] >= 0]
        for name, times in Counter(receiver.saw).items():
            own = [edge for edge in inner if self._is_own(receiver, edge, name)]
            brought = entries * self._inbox.get(place.host, ()).count(name)  # with the task, and counted as that
            passed = [edge for edge in inner for _ in range(self._passed(receiver, edge, name))]
            yield from (edge for edge in [*own, *brought, *passed][:times] if plan.source[edge] >= 0)

    def _is_own(self, receiver: _Activation, edge: int, name: str) -> bool:
        """Whether the message is what the node at the edge's start said in time for this activation."""
        return any(made.message is not None and made.message.id == name for made in self._senders(receiver, edge))

    def _passed(self, receiver: _Activation, edge: int, name: str) -> int:
        """How often the node at the edge's start had seen the message, if its own was not heard instead."""
        silent = (
            made
            for made in self._senders(receiver, edge)
            if made.message is not None and made.message.id not in receiver.saw
        )
        return max((made.saw.count(name) for made in silent), default=0)

    def _senders(self, receiver: _Activation, edge: int) -> list[_Activation]:
        place, plan = receiver.place, receiver.place.graph.plan
        return self._by_step.get((place.visit, plan.source[edge], receiver.round - plan.temporal[edge]), [])

    def _spoken(self) -> Iterator[_Activation]:
        for message in self.trajectory.messages:
            place = self._place(_path(message))
            if place is not None and place.exact:
                yield _Activation(place, message.round, tuple(map(self._original, message.saw)), message)

    def _failed(self) -> Iterator[_Activation]:
        """Activations that left calls or a failure on the record, and no message."""
        messages = self.trajectory.messages
        known = {(_path(m), m.round, m.saw) for m in messages}
        for made in self.trajectory.decisions:
            place, step = self._place(made.path), (made.path, made.round, made.saw)
            if place is not None and place.exact and step not in known:
                known.add(step)
                yield _Activation(place, made.round, tuple(map(self._original, made.saw)), None)
        steps = {(path, round) for path, round, _ in known}
        for event in self.trajectory.events:
            place = self._place(event.path) if event.kind == "failure" else None
            if place is not None and place.exact and (event.path, event.round) not in steps:
                steps.add((event.path, event.round))
                yield _Activation(place, event.round, (), None)

    def _original(self, seen: str) -> str:
        """The name under which its sender's record has a message that an edge changed or that was worded for one."""
        name = seen
        while name and name not in self._visit:
            name = name.rpartition(">")[0]
        return name or seen

    def _place(self, path: str) -> _Place | None:
        """None for the path of the team itself."""
        if path not in self._places:
            self._places[path] = self._find(path)
        return self._places[path]

    def _find(self, path: str) -> _Place | None:
        graph, place = self.graph, None
        team: Address = ()
        parts = path.split("/")
        host, around = parts[0], False
        for depth, part in enumerate(parts[1:], start=1):
            name, colon, round = part.partition(":")  # the round in which a nested team was visited
            node = next((i for i, node in enumerate(graph.nodes) if node.name == name), None)
            if node is None and around:  # a later attempt or an item, opened by an actor around the team
                host += "" if ":" in host.rpartition("/")[2] else colon + round
                continue
            if node is None:
                raise BadInput(
                    f"trajectory {self.trajectory.id} speaks of {path!r}, but team {graph.name!r} has no node "
                    f"{name!r}; fix: draw the team that ran"
                )
            place = _Place(graph, team, "/".join(parts[:depth]), host, node, depth == len(parts) - 1)
            actor = graph.nodes[node].actor
            inner = framed(actor)
            if inner is None:
                return place  # what lies below was opened by the actor itself, and is in no drawing
            graph, team = inner, (*team, name)
            host, around = "/".join(parts[: depth + 1]), not isinstance(actor, Graph)
        return place


def _path(message: Message) -> str:
    """Of the activation that said it."""
    return message.id.partition("~")[0].rpartition("@")[0]


def _ended(trajectory: Trajectory) -> Iterator[str]:
    usage = sum((leaf.usage for leaf in trajectory.leaves), Usage())
    waste = f"; wasted {trajectory.waste.calls} calls" if trajectory.waste.calls else ""
    if len(trajectory.leaves) == 1:
        leaf = trajectory.leaf
        yield f"ended: {leaf.stopped_by}, closed rounds: {leaf.rounds}"
        yield "no answer" if leaf.answer is None else f"answer: {leaf.answer}"
        if leaf.error is not None:
            yield f"error: {leaf.error}"
    else:
        yield f"a tree of {len(trajectory.leaves)} leaves, with {len(trajectory.decisions)} decisions"
    yield f"{usage.calls:,} calls, {usage.tokens_in:,} + {usage.tokens_out:,} tokens{waste}"
