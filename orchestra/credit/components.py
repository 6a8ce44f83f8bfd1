"""Reward components beside the task's: what a leaf's words cost, whether they kept their form, whether they repeat.

Each is a function from one task's trajectories to a number a leaf, stored raw under its own name and weighed only when
a rule asks for it; `total` is the weighed sum. `task` comes from the benchmark, `readability` from a model
(`orchestra.credit.readability`).

    tokens       -#Tok / max #Tok over all leaves of the task, from -1 to 0      (Optima, arXiv 2410.08115, eq. 1)
    format       share of the leaf's decisions whose reply could be parsed, from 0 to 1
    repetition   -(turns that an agent had said before on this leaf) / turns, from -1 to 0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestra.credit.credit import Scored
from orchestra.errors import BadInput, UnknownName
from orchestra.trajectory.trajectory import Decision, Trajectory

Component = Callable[[Sequence[Trajectory]], list[list[float]]]
"""Of each trajectory of one task, a number for each leaf."""

TOTAL = "total"


def tokens(trees: Sequence[Trajectory]) -> list[list[float]]:
    """What was said, in output tokens, against the longest leaf of the task."""
    said = [[float(leaf.usage.tokens_out) for leaf in tree.leaves] for tree in trees]
    most = max((count for counts in said for count in counts), default=0.0)
    return [[-count / most if most else 0.0 for count in counts] for counts in said]


def form(trees: Sequence[Trajectory]) -> list[list[float]]:
    """Replies that could be parsed."""

    def kept(path: Sequence[Decision]) -> float:
        return sum(each.error is None for each in path) / len(path) if path else 0.0

    return [[kept(path) for path in _paths(tree)] for tree in trees]


def repetition(trees: Sequence[Trajectory]) -> list[list[float]]:
    """Turns that say nothing new; case and spacing do not count."""

    def again(path: Sequence[Decision]) -> float:
        said = [(d.path, " ".join(d.completion.text.casefold().split())) for d in path if d.completion is not None]
        return (len(set(said)) - len(said)) / len(said) if said else 0.0

    return [[again(path) for path in _paths(tree)] for tree in trees]


COMPONENTS: Mapping[str, Component] = {"tokens": tokens, "format": form, "repetition": repetition}


def with_components(batch: Sequence[Scored], names: Sequence[str]) -> list[Scored]:
    """The batch with these components added to the rewards of its leaves; UnknownName where there is no such one."""
    added = [[dict(rewards) for rewards in scored.rewards] for scored in batch]
    for name in names:
        if name not in COMPONENTS:
            raise UnknownName("reward component", name, COMPONENTS)
        for places in _by_task(batch):
            found = COMPONENTS[name]([batch[place].trajectory for place in places])
            for place, values in zip(places, found, strict=True):
                for rewards, value in zip(added[place], values, strict=True):
                    rewards[name] = value
    return [Scored(scored.trajectory, tuple(rewards)) for scored, rewards in zip(batch, added, strict=True)]


def total(batch: Sequence[Scored], weights: Mapping[str, float]) -> list[Scored]:
    """The batch with the component `total`, the weighed sum; None where one of those weighed is not scored.

    Raises BadInput where nothing is weighed.
    """
    if not weights:
        raise BadInput("expected weights of reward components, got none; fix: such as task=1,tokens=0.4")

    def one(rewards: Mapping[str, float | None]) -> float | None:
        parts = [(weight, rewards.get(name)) for name, weight in weights.items()]
        known = [weight * value for weight, value in parts if value is not None]
        return sum(known) if len(known) == len(parts) else None

    return [Scored(s.trajectory, tuple({**rewards, TOTAL: one(rewards)} for rewards in s.rewards)) for s in batch]


def _by_task(batch: Sequence[Scored]) -> list[list[int]]:
    """Places in the batch of each task's trajectories."""
    found: dict[str, list[int]] = {}
    for place, scored in enumerate(batch):
        found.setdefault(scored.trajectory.task.id, []).append(place)
    return list(found.values())


def _paths(tree: Trajectory) -> list[Sequence[Decision]]:
    known = {decision.key: decision for decision in tree.decisions}
    return [[known[key] for key in leaf.taken] for leaf in tree.leaves]
