"""The trie of a trajectory's leaves, and values backed up on it from the leaves to the beginning.

A node is a path; a stored decision may lie on many paths, because agents of equal past share it. Its value is the mean
over its occurrences, weighted by the scored leaves below each. Leaves without a reward are left out of every mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

from orchestra.credit.credit import Annotation, Scored
from orchestra.errors import BadData, UnknownName
from orchestra.types import Key

Pool = Callable[[Sequence[float]], float]
"""The value of a node from those of its scored children."""


@dataclass(slots=True)
class _Node:
    """A path through the tree: its last decision, and what was seen below it."""

    key: Key | None
    parent: int
    samples: list[float] = field(default_factory=list)
    """Values of its scored children."""
    leaves: int = 0
    """Scored leaves below."""


def backed_up(scored: Scored, component: str, pool: Pool) -> dict[Key, Annotation]:
    """Every decision with its value; the standard error is that of the mean of all samples one step below it, over all
    occurrences together.
    """
    decisions = scored.trajectory.decisions
    found: dict[Key, list[_Node]] = {decision.key: [] for decision in decisions}
    for node in _nodes(scored, component, pool):
        if node.key is not None and node.leaves:
            found[node.key].append(node)
    groups = state_groups(scored)
    return {key: _annotation(nodes, pool, groups[key]) for key, nodes in found.items()}


def state_groups(scored: Scored) -> dict[Key, str]:
    """The group of every decision: its state where that has several draws, else empty."""
    keys = [decision.key for decision in scored.trajectory.decisions]
    draws = Counter(key.state for key in keys)
    return {key: key.state if draws[key.state] > 1 else "" for key in keys}


def check(batch: Sequence[Scored], component: str) -> None:
    """Raises BadData where a trajectory has not one reward mapping a leaf, UnknownName where the batch is scored, but
    nowhere by this component.
    """
    for trajectory, rewards in batch:
        if len(rewards) != len(trajectory.leaves):
            raise BadData(
                f"trajectory {trajectory.id}: expected one reward mapping for each of its {len(trajectory.leaves)} "
                f"leaves, got {len(rewards)}; fix: score every leaf, with None where there is no score"
            )
    known = {name for scored in batch for rewards in scored.rewards for name in rewards}
    if known and component not in known:
        raise UnknownName("reward component", component, known)


def _nodes(scored: Scored, component: str, pool: Pool) -> list[_Node]:
    """The trie's nodes, parents before children, each with its children's values."""
    nodes, index = [_Node(None, 0)], dict[tuple[int, Key], int]()
    for leaf, rewards in zip(scored.trajectory.leaves, scored.rewards, strict=True):
        at = 0
        for key in leaf.taken:
            if (at, key) not in index:
                index[at, key] = len(nodes)
                nodes.append(_Node(key, at))
            at = index[at, key]
        reward = rewards.get(component)
        if reward is not None:
            nodes[at].samples.append(reward)
            nodes[at].leaves += 1
    for node in reversed(nodes[1:]):
        if node.leaves:
            nodes[node.parent].samples.append(pool(node.samples))
            nodes[node.parent].leaves += node.leaves
    return nodes


def _annotation(nodes: Sequence[_Node], pool: Pool, group: str) -> Annotation:
    if not nodes:
        return Annotation(None, group=group)
    value = fmean([pool(node.samples) for node in nodes], [node.leaves for node in nodes])
    samples = [sample for node in nodes for sample in node.samples]
    return Annotation(value, stdev(samples) / len(samples) ** 0.5 if len(samples) > 1 else None, group=group)
