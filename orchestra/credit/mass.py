"""Mass: how much of one rollout each decision stands for, so that a tree weighs as much as a run without branches.

On the trie of the leaves' `taken` the root has mass 1. Where a state with n draws is met at a node of mass m,

    own mass of each draw, gone on with or not = m / n        passed on to what follows a draw that went on = m / kept

with `kept` the number of draws that went on there. Siblings weigh alike, the draws of a state add up to the mass of the
places where it was met, and where no leaf ends early the states of each depth add up to 1: a full tree of n draws a
state gives 1/n, 1/n^2, ..., a tree that goes on with one of n gives 1/n at every depth, a plain run 1. These are the
weights under which the sampled policy gradient of a tree estimates that of a run, unless draws go on for their merit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from orchestra.trajectory.trajectory import Leaf, Trajectory
from orchestra.types import Key


def masses(trajectory: Trajectory) -> dict[Key, float]:
    """Every decision with its mass, summed over the places where it was met; 0 for one that failed, which counts in no
    group, and for draws of a state that no leaf went through.
    """
    found = dict.fromkeys((decision.key for decision in trajectory.decisions), 0.0)
    draws = defaultdict[str, list[Key]](list)
    for decision in trajectory.decisions:
        if decision.completion is not None:
            draws[decision.key.state].append(decision.key)
    nodes = _trie(trajectory.leaves)
    for mass, below in zip(_passed(nodes), nodes, strict=True):
        states = {key.state for key in below}
        for state in states:  # one in a tree that the engine grew: equal draws lead to one next call
            for key in draws[state]:
                found[key] += mass / len(states) / len(draws[state])
    return found


def leaf_masses(trajectory: Trajectory) -> list[float]:
    """Of each leaf, in order: its chance among those of the tree, so that a draw which went on to many leaves, and one
    which ended at once, count alike. They add up to 1.
    """
    nodes = _trie(trajectory.leaves)
    passed, found = _passed(nodes), list[float]()
    for leaf in trajectory.leaves:
        at = 0
        for key in leaf.taken:
            at = nodes[at][key]
        found.append(passed[at])
    return found


def _passed(nodes: Sequence[Mapping[Key, int]]) -> list[float]:
    """Of each node of the trie, parents before children, what is passed on to it."""
    passed = [1.0] * len(nodes)
    for place, below in enumerate(nodes):
        states = Counter(key.state for key in below)
        for key, child in below.items():
            passed[child] = passed[place] / len(states) / states[key.state]
    return passed


def per_call(trajectory: Trajectory, mass: Mapping[Key, float]) -> dict[Key, float]:
    """The masses, each over the number of calls that its agent made on the path, so that an agent weighs alike in runs
    where it was called often and seldom (M-GRPO, arXiv 2511.13288, whose rollouts are brought to one number by copying
    and dropping calls).

    On a tree the number is the mean of the leaves that went through the state: siblings still weigh alike, whatever
    each of them led to. Draws of a state that no leaf went through keep their mass.
    """
    known = {decision.key: decision for decision in trajectory.decisions}
    calls = defaultdict[str, list[int]](list)
    for leaf in trajectory.leaves:
        made_by = Counter(known[key].agent for key in leaf.taken)
        for key in leaf.taken:
            calls[key.state].append(made_by[known[key].agent])
    return {key: value / fmean(calls.get(key.state, [1])) for key, value in mass.items()}


def _trie(leaves: Sequence[Leaf]) -> list[dict[Key, int]]:
    """The nodes, parents before children, each with the places of its children."""
    nodes: list[dict[Key, int]] = [{}]
    for leaf in leaves:
        at = 0
        for key in leaf.taken:
            if key not in nodes[at]:
                nodes[at][key] = len(nodes)
                nodes.append({})
            at = nodes[at][key]
    return nodes
