"""Who is told what: evidence split between the seats of a team, so that no seat can answer alone.

A seat is the name of a node; a node that is no seat has an empty private line, and can still hear what the others say.
No evidence is lost: a system that lacks a seat, such as a single agent beside a debate, is told everything, and is then
the reader of all evidence that the split is measured against.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from orchestra.engine import Actor, Graph
from orchestra.engine.run import name_of
from orchestra.errors import BadInput
from orchestra.evaluation.sources.generate import Dice
from orchestra.types import FrozenMap, Task

SEATS: Final = ("debater-1", "debater-2")
"""The first two agents of `debate`, as the command line names them, however many debate."""


def known_seats(seats: Sequence[str]) -> tuple[str, ...]:
    """The seats themselves; BadInput where there is none, or one is named twice."""
    if not seats or len(set(seats)) != len(seats) or not all(seats):
        raise BadInput(
            f"expected different names of seats, at least one, got {tuple(seats)!r}; fix: the names of nodes"
        )
    return tuple(seats)


def seated(task: Task, system: Actor) -> Task:
    """The task as a system is told it: as it is, or, where a seat is no node of it at any depth, all lines to all.

    >>> from orchestra.engine import START, Edge, Graph, Node
    >>> team = Graph("pair", [Node("ann", print)], [Edge(START, "ann")])
    >>> split = Task("t", "?", private=FrozenMap({"bob": "b", "eve": "e"}))
    >>> dict(seated(split, team).private), seated(replace(split, private=FrozenMap({"ann": "a"})), team).private["ann"]
    ({'pair': 'b\\ne'}, 'a')
    """
    if not task.private or not lacks(system, task.private):
        return task
    return replace(task, private=FrozenMap({name_of(system): "\n".join(task.private.values())}))


def lacks(system: Actor, seats: Collection[str]) -> bool:
    """Whether one of these seats is no node of a system."""
    return not set(seats) <= {name_of(system), *_nodes(system)}


def _nodes(system: object) -> Iterator[str]:
    for node in system.nodes if isinstance(system, Graph) else ():
        yield node.name
        yield from _nodes(node.actor)


def alternate(evidence: Sequence[str], others: Sequence[str], seats: Sequence[str], dice: Dice) -> FrozenMap[str, str]:
    """Optima's split (arXiv 2410.08115): evidence goes to the seats in turn, everything else to a random seat.

    >>> dict(alternate(["e1", "e2"], [], ("ann", "bob"), Dice("an example")))
    {'ann': 'e1', 'bob': 'e2'}
    """
    dealt: dict[str, list[str]] = {seat: [] for seat in seats}
    for number, line in enumerate(evidence):
        dealt[seats[number % len(seats)]].append(line)
    for line in others:
        dealt[dice.pick(seats)].append(line)
    return told(dealt, dice)


def told(dealt: Mapping[str, list[str]], dice: Dice) -> FrozenMap[str, str]:
    """Seat -> its lines in a random order; a seat without lines is left out."""
    return FrozenMap({seat: "\n".join(dice.take(lines, len(lines))) for seat, lines in dealt.items() if lines})
