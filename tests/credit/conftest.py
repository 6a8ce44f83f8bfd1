"""Trees made by hand: a chain with every draw kept, and two agents in parallel before a join."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import pytest

from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Completion, Key, Request, Task, Usage

Build = Callable[[Sequence[tuple[Key, ...]]], Trajectory]


def decision(key: Key) -> Decision:
    agent = key.state.partition("|")[0]
    said = Completion(str(key.draw), (5, 6), (7 + key.draw,), (-0.1,), (1,), "stop", Usage(calls=1))
    return Decision(key, (), agent, agent, agent, 0, 0, f"{agent}@0", "w", Request((("user", "?"),)), said)


@pytest.fixture(scope="session")
def build() -> Build:
    """A trajectory of the given paths; its decisions in order of first appearance."""

    def made(paths: Sequence[tuple[Key, ...]]) -> Trajectory:
        keys = dict.fromkeys(key for path in paths for key in path)
        leaves = tuple(Leaf(path, None, "end", Usage()) for path in paths)
        return Trajectory("t", Task("task", "?"), 0, "team", tuple(map(decision, keys)), (), leaves)

    return made


@pytest.fixture(scope="session")
def chain() -> list[tuple[Key, ...]]:
    """Paths of MALT's 3 x 3 x 3 tree: a state names the draws of all earlier agents."""
    return [(Key("g", g), Key(f"v|{g}", v), Key(f"r|{g}{v}", r)) for g, v, r in product(range(3), range(3), range(3))]


@pytest.fixture(scope="session")
def joined() -> list[tuple[Key, ...]]:
    """A and B in parallel, then J: B's state does not name A's draw, J's names both."""
    return [(Key("a", a), Key("b", b), Key(f"j|{a}{b}", j)) for a, b, j in product(range(2), range(2), range(2))]
