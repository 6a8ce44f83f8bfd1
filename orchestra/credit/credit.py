"""Credit: from the rewards of a trajectory's leaves to a value of each of its decisions.

A rule reads trajectories and writes tables beside them; it never runs a team and never edits a trajectory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Key


class Scored(NamedTuple):
    """A trajectory and what its leaves earned."""

    trajectory: Trajectory
    rewards: tuple[Mapping[str, float | None], ...]
    """Of each leaf, in order: raw reward components by name. None, or no such name: not scored; 0.0: scored zero."""


class Annotation(NamedTuple):
    """Credit of one decision."""

    value: float | None
    """Expected reward from here on; None where no scored leaf lies below."""
    stderr: float | None = None
    """Standard error of `value`; None where fewer than two scored samples stand behind it."""
    advantage: float | None = None
    """Signed credit against a baseline; None where the rule has no baseline."""
    group: str = ""
    """The decision's state where it has siblings, empty where it has none."""


class Table(NamedTuple):
    """The annotations of one trajectory, and which rule with which settings made them."""

    producer: str
    config: str
    """Canonical JSON of the rule's settings."""
    rows: Mapping[Key, Annotation]
    """Every decision of the trajectory has a row."""


class Credit(Protocol):
    """Assigns outcomes to decisions: one table for each trajectory of the batch, in order."""

    def __call__(self, batch: Sequence[Scored]) -> Sequence[Table]: ...
