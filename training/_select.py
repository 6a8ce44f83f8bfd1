"""Selection of whole trajectories: of each task the best one, where it is good enough, and of these the top share.

Its table says 1.0 of every decision that lies on a chosen leaf and 0.0 of the others, so that SFT with a threshold
between takes the chosen conversations whole, each agent's turns for its own policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from orchestra.credit import Annotation, Scored, Table
from orchestra.digest import canonical
from orchestra.errors import BadInput

SELECTED: Final = "selected"
"""The producer's name."""


def best_leaves(batch: Sequence[Scored], component: str, over: float, share: float = 1.0) -> list[tuple[int, int]]:
    """(place in the batch, place among its leaves) of the chosen, highest reward first; earlier ones before equals.

    A leaf whose reward is not scored, or which failed, is never chosen.
    """
    if not 0 < share <= 1:
        raise BadInput(f"expected a share above 0, up to 1, got {share!r}; fix: such as 0.7")
    best: dict[str, tuple[float, int, int]] = {}
    for place, scored in enumerate(batch):
        for at, (leaf, rewards) in enumerate(zip(scored.trajectory.leaves, scored.rewards, strict=True)):
            reward, task = rewards.get(component), scored.trajectory.task.id
            if reward is None or reward <= over or leaf.error is not None:
                continue
            if task not in best or reward > best[task][0]:
                best[task] = reward, place, at
    ranked = sorted(best.values(), key=lambda found: -found[0])
    return [(place, at) for _, place, at in ranked[: ceil(len(ranked) * share)]]


def selected(batch: Sequence[Scored], component: str, over: float, share: float = 1.0) -> list[Table]:
    """The table of each trajectory, in order."""
    chosen = {
        (place, key)
        for place, at in best_leaves(batch, component, over, share)
        for key in batch[place].trajectory.leaves[at].taken
    }
    config = canonical({"component": component, "over": over, "share": share})
    return [
        Table(
            SELECTED, config, {d.key: Annotation(float((place, d.key) in chosen)) for d in scored.trajectory.decisions}
        )
        for place, scored in enumerate(batch)
    ]
