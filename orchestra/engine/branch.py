"""How a tree grows: how many draws a decision gets, and which of them go on. No topology knows of it.

    Full      every draw goes on: MALT's trees (arXiv 2412.01928); of parallel agents all combinations, "cross"
    Aligned   of parallel agents draw j of one goes with draw j of the others (MAGRPO, arXiv 2508.04652)
    Best      one draw goes on, the others are its siblings to learn from (AT-GRPO, arXiv 2510.11062)
    Chosen    draws by state: what a search gives more draws to, one each elsewhere

A branch decides by names and draws alone, so the same tree grows whatever arrives first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any, Protocol

from orchestra.engine.door import Call
from orchestra.engine.graph import Graph
from orchestra.errors import BadInput
from orchestra.types import EMPTY, Completion, FrozenMap, Request

Taken = Mapping[Call, int]
"""The calls of a leaf so far, in order, and the draw of each that it goes on with."""


class Branch(Protocol):
    """How a tree grows. Its repr is part of the tree's name."""

    def draws(self, call: Call, taken: Taken) -> int:
        """How many draws a fresh state gets."""
        ...

    def keep(self, call: Call, taken: Taken, drawn: Sequence[Any]) -> Sequence[int]:
        """Which of them go on; none: the leaf ends here, its decisions stay."""
        ...


@dataclass(frozen=True, slots=True)
class Full:
    """Every draw goes on: n for each role, or a number of its own for a role. For parallel agents this is cross."""

    n: int = 1
    roles: FrozenMap[str, int] = EMPTY

    def __post_init__(self) -> None:
        if self.n < 1 or any(n < 1 for n in self.roles.values()):
            raise BadInput(f"branching needs at least one draw, got {self.n} and {dict(self.roles)}")

    def draws(self, call: Call, taken: Taken) -> int:
        return self.roles.get(call.by.role, self.n) if _is_sampled(call) else 1

    def keep(self, call: Call, taken: Taken, drawn: Sequence[Any]) -> Sequence[int]:
        return range(len(drawn))


@dataclass(frozen=True, slots=True)
class Aligned:
    """n draws of each decision; agents who speak side by side go on together, draw j of one with draw j of the others.

    Side by side are nodes of one team in one round with equally many nodes before them, on the longest spatial path;
    so a chain branches as in `Full`, and a debate of any number of agents gives n leaves a round instead of n to their
    power. What a team is made of at run time, such as a plan, branches as in `Full`.
    """

    graph: Graph = field(repr=False)
    n: int
    _layers: dict[str, tuple[str, int]] = field(init=False, repr=False, compare=False)
    """Address of a node -> its team's address and its layer there."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise BadInput(f"branching needs at least one draw, got {self.n}")
        object.__setattr__(self, "_layers", dict(_layered(self.graph, self.graph.name)))

    def draws(self, call: Call, taken: Taken) -> int:
        return self.n if _is_sampled(call) else 1

    def keep(self, call: Call, taken: Taken, drawn: Sequence[Any]) -> Sequence[int]:
        mine = self._beside(call)
        if mine is not None:
            for other, draw in taken.items():
                if len(drawn) > 1 and _is_sampled(other) and self._beside(other) == mine:
                    return (draw,)
        return range(len(drawn))

    def _beside(self, call: Call) -> tuple[str, int, int, int] | None:
        """What the calls of one joint decision share; None where the graph does not know the node."""
        path = call.path
        while path not in self._layers:
            path, slash, _ = path.rpartition("/")
            if not slash:
                return None
        return (*self._layers[path], call.round, call.index)


@dataclass(frozen=True, slots=True)
class Best:
    """n draws of each decision, of which the best goes on; of equally good ones the first."""

    n: int
    score: Callable[[Call, Completion], float]
    """What a draw earns by itself, such as a verdict's correctness; a leaf's reward is not known yet."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise BadInput(f"branching needs at least one draw, got {self.n}")

    def __repr__(self) -> str:  # a tree is named by it, so no address in memory
        name = getattr(self.score, "__qualname__", None) or type(self.score).__qualname__
        return f"Best({self.n}, {self.score.__module__}.{name})"

    def draws(self, call: Call, taken: Taken) -> int:
        return self.n if _is_sampled(call) else 1

    def keep(self, call: Call, taken: Taken, drawn: Sequence[Any]) -> Sequence[int]:
        if len(drawn) == 1:
            return (0,)
        scores = [self.score(call, each) for each in drawn]
        if any(map(isnan, scores)):
            raise BadInput(f"{call.where}: expected a number for each draw, got {scores}; fix: the score of Best")
        return (max(range(len(scores)), key=scores.__getitem__),)


@dataclass(frozen=True, slots=True)
class Chosen:
    """As many draws of a state as it is given, one of any other; all of them go on."""

    states: FrozenMap[str, int] = EMPTY

    def draws(self, call: Call, taken: Taken) -> int:
        return self.states.get(call.state, 1)

    def keep(self, call: Call, taken: Taken, drawn: Sequence[Any]) -> Sequence[int]:
        return range(len(drawn))


def _is_sampled(call: Call) -> bool:
    """A tool or a clock is asked once; only a model is sampled."""
    return isinstance(call.effect, Request)


def _layered(graph: Graph, path: str) -> list[tuple[str, tuple[str, int]]]:
    """Address of every node below a team, with the team's address and the node's layer."""
    plan, found = graph.plan, list[tuple[str, tuple[str, int]]]()
    layer = [0] * len(graph.nodes)
    for i in plan.order:  # a spatial edge leads to a later place
        before = [layer[s] for e in plan.ins[i] if (s := plan.source[e]) >= 0 and not plan.temporal[e]]
        layer[i] = 1 + max(before, default=-1)
    for node, depth in zip(graph.nodes, layer, strict=True):
        at = f"{path}/{node.name}"
        found.append((at, (path, depth)))
        if isinstance(node.actor, Graph):
            found += _layered(node.actor, at)
    return found
