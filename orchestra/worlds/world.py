"""What every world can do: PettingZoo's Parallel API (agents, reset, step), plus words, turns and copies.

A world is deterministic: its seed and the actions taken give every observation, reward and text. `contracts.world`
has the test of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self


class Step(NamedTuple):
    """What one step brought, by the seats that were live before it; unpacks like PettingZoo's tuple."""

    observations: dict[str, Any]
    rewards: dict[str, float]
    ended: dict[str, bool]
    """The episode is over for this seat (terminated)."""
    cut: dict[str, bool]
    """The time limit was reached (truncated)."""
    infos: dict[str, dict[str, Any]]


class World(Protocol):
    """Seats that act, and what comes of it."""

    agents: list[str]
    """The live seats, in a fixed order; empty when the episode is over."""
    unparsed: int
    """Replies of this episode that `parse` could not read."""

    def reset(self, seed: int | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """A new episode: observations and infos by seat. Equal seeds give equal episodes; None is seed 0."""
        ...

    def step(self, actions: Mapping[str, Any]) -> Step:
        """Everybody moves at once. A seat in turn that is absent takes the world's default; a live seat that is not in
        turn is not heard; an unknown seat or an illegal action raises BadInput and changes nothing.
        """
        ...

    def turn(self) -> Sequence[str]:
        """The seats whose actions count now: all of them, some, or the one whose move it is."""
        ...

    def text(self, agent: str) -> str:
        """What a live seat sees, in words."""
        ...

    def legal(self, agent: str) -> Sequence[str]:
        """The actions open to a live seat, as texts that `parse` reads; empty if it is not in turn."""
        ...

    def parse(self, agent: str, text: str) -> Any:
        """The legal action that a reply names, or the world's default, which is counted in `unparsed`."""
        ...

    def clone(self) -> Self:
        """An independent copy: steps of one never show in the other."""
        ...
