"""Trees where they pay: a budgeted search for decisions whose draws differ in reward (Optima, arXiv 2410.08115, 2.3).

A step chooses a decision, gives what follows it more draws, and grows the tree again: the journal answers what is
known, so a step costs its new rollouts alone. As in Optima a step takes one of the `top` decisions of highest value, by
softmax, none like one that was expanded already, and replies that are nearly equal share their value. Unlike Optima's
code, values are taken anew from all leaves at each step, a leaf counts once, and last decisions may get more draws too,
since their siblings are the cheapest pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp
from random import Random
from statistics import fmean

from orchestra.credit.edit import edit_distance
from orchestra.digest import digest
from orchestra.engine import Actor, Budget, Chosen, grow
from orchestra.engine.run import run_id
from orchestra.errors import BadInput
from orchestra.trajectory.journal import Journal, MemoryJournal
from orchestra.trajectory.trajectory import Leaf, Trajectory
from orchestra.types import FrozenMap, Key, Task


@dataclass(frozen=True, slots=True)
class Search:
    """How far to search; the defaults are Optima's."""

    rollouts: int = 24
    """Leaves of the tree: no step begins whose draws would pass it."""
    draws: int = 3
    """New draws of a step, each a new leaf; where parallel agents share a decision, a leaf for each that it meets."""
    top: int = 10
    """Of so many decisions of highest value one is chosen."""
    temperature: float = 1.0
    """Of the softmax over their values."""
    new: float = 0.25
    """Edit distance from every expanded decision at which one may be expanded."""
    equal: float = 0.1
    """Edit distance below which siblings count as one decision."""

    def __post_init__(self) -> None:
        if min(self.rollouts, self.draws, self.top) < 1 or self.temperature <= 0 or min(self.new, self.equal) < 0:
            raise BadInput(f"expected rollouts, draws, top >= 1, temperature > 0 and distances >= 0, got {self}")


async def search(
    actor: Actor,
    task: Task,
    reward: Callable[[Leaf], float],
    how: Search | None = None,
    *,
    seed: int = 0,
    journal: Journal | None = None,
    cap: Budget | None = None,
) -> Trajectory:
    """The tree of a task after the last step. `cap` holds for the whole tree, what the journal answers included.

    The same arguments give the same tree; one that was interrupted goes on from its journal.
    """
    how, journal = how or Search(), journal or MemoryJournal()
    name, given, expanded = run_id(actor, task, seed), dict[str, int](), list[Key | None]()
    while True:
        tree = await grow(actor, task, Chosen(FrozenMap(given)), seed=seed, journal=journal, cap=cap)
        if len(tree.leaves) + how.draws > how.rollouts or (cap and any(x.stopped_by == "budget" for x in tree.leaves)):
            return tree
        nodes = list(_nodes(tree, reward, how.equal))
        known = [text for node in nodes if node.key in expanded if (text := node.text) is not None]
        fresh = [node for node in nodes if node.key not in expanded and _is_new(node.text, known, how.new)]
        if not fresh:
            return tree
        node = _drawn(fresh, how, Random(digest(name, "search", str(len(expanded)))))
        expanded.append(node.key)
        for state in node.following:
            given[state] = given.get(state, 1) + how.draws


@dataclass(frozen=True, slots=True)
class _Node:
    """A decision that can be expanded, or the beginning."""

    key: Key | None
    text: str | None
    value: float
    following: tuple[str, ...]
    """States of the decisions that come right after it."""


def _nodes(tree: Trajectory, reward: Callable[[Leaf], float], equal: float) -> Iterable[_Node]:
    """In canonical order, the beginning first; those with nothing after them left out."""
    below, following = defaultdict[Key | None, list[float]](list), defaultdict[Key | None, dict[str, None]](dict)
    for leaf in tree.leaves:
        earned = reward(leaf)
        for before, after in zip((None, *leaf.taken), leaf.taken, strict=False):
            below[before].append(earned)
            following[before][after.state] = None
    texts = {d.key: d.completion.text for d in tree.decisions if d.completion is not None}
    for key, states in following.items():
        text = None if key is None else texts.get(key, "")
        like = [key] if key is None else [o for o in below if o is not None and _are_one(key, o, texts, equal)]
        yield _Node(key, text, fmean(earned for one in like for earned in below[one]), tuple(states))


def _are_one(a: Key, b: Key, texts: dict[Key, str], equal: float) -> bool:
    return a == b or (a.state == b.state and edit_distance(texts.get(a, ""), texts.get(b, "")) < equal)


def _is_new(text: str | None, known: Sequence[str], least: float) -> bool:
    return text is None or all(edit_distance(text, other) >= least for other in known)


def _drawn(nodes: Sequence[_Node], how: Search, rng: Random) -> _Node:
    best = sorted(nodes, key=lambda node: -node.value)[: how.top]  # stable: of equal values the earlier comes first
    return rng.choices(best, [exp((node.value - best[0].value) / how.temperature) for node in best])[0]
