"""MALT's value iteration (arXiv 2412.01928, section 3.3), on the trie of a trajectory's leaves.

    V(leaf) = its reward         V(node) = mean of V(child) over the scored children

A node of the trie is a path; a stored decision may lie on many paths, because agents of equal past share it. Its value
is the mean over its occurrences, weighted by the scored leaves below each. On a chain of agents each decision occurs
once, and this is MALT's formula; on a run without branches every decision gets the reward of the only leaf.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.digest import canonical
from orchestra.errors import BadData, UnknownName
from orchestra.types import Key


def nested_mean(component: str = "task") -> Credit:
    """A rule that backs up one reward component; leaves where it is None or absent are left out of every mean.

    The rule raises BadData where a trajectory has not one reward mapping a leaf, and UnknownName where the batch is
    scored, but nowhere by this component.
    """

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        _check(batch, component)
        return [Table("nested_mean", canonical({"component": component}), _rows(scored, component)) for scored in batch]

    return credit


@dataclass(slots=True)
class _Node:
    """A path through the tree: its last decision, and what was seen below it."""

    key: Key | None
    parent: int
    samples: list[float] = field(default_factory=list)
    """Values of its scored children."""
    leaves: int = 0
    """Scored leaves below."""


def _rows(scored: Scored, component: str) -> dict[Key, Annotation]:
    decisions = scored.trajectory.decisions
    found: dict[Key, list[_Node]] = {decision.key: [] for decision in decisions}
    for node in _backed_up(scored, component):
        if node.key is not None and node.leaves:
            found[node.key].append(node)
    draws = Counter(decision.key.state for decision in decisions)
    return {key: _annotation(nodes, key.state if draws[key.state] > 1 else "") for key, nodes in found.items()}


def _backed_up(scored: Scored, component: str) -> list[_Node]:
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
            nodes[node.parent].samples.append(fmean(node.samples))
            nodes[node.parent].leaves += node.leaves
    return nodes


def _annotation(nodes: Sequence[_Node], group: str) -> Annotation:
    """The standard error is that of the mean of all samples one step below, over all occurrences together."""
    if not nodes:
        return Annotation(None, group=group)
    value = fmean([fmean(node.samples) for node in nodes], [node.leaves for node in nodes])
    samples = [sample for node in nodes for sample in node.samples]
    return Annotation(value, stdev(samples) / len(samples) ** 0.5 if len(samples) > 1 else None, group=group)


def _check(batch: Sequence[Scored], component: str) -> None:
    for trajectory, rewards in batch:
        if len(rewards) != len(trajectory.leaves):
            raise BadData(
                f"trajectory {trajectory.id}: expected one reward mapping for each of its {len(trajectory.leaves)} "
                f"leaves, got {len(rewards)}; fix: score every leaf, with None where there is no score"
            )
    known = {name for scored in batch for rewards in scored.rewards for name in rewards}
    if known and component not in known:
        raise UnknownName("reward component", component, known)
