"""What a model of this machine has done so far, counted by the one thread that does it.

The counts of a completion are made before its caller has it: once nothing is in flight they are exact. While work goes
on they are those of some moment between two forward passes, or within one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from orchestra.types import EMPTY, FrozenMap


@dataclass(frozen=True, slots=True)
class Statistics:
    """Since the model was loaded.

    >>> Statistics(asked=270, computed=54).hit_rate
    0.8
    """

    asked: int = 0
    """Prompt tokens of all that was asked; each sibling's count."""
    computed: int = 0
    """Those of them that went through the network; padding does not count."""
    prefills: Mapping[int, int] = EMPTY
    """Forward passes that read prompts, by how many prompts."""
    steps: Mapping[int, int] = EMPTY
    """Forward passes that gave replies in flight their next token, by how many replies."""
    cache_peak: int = 0
    """Bytes, at most, of keys and values that were held for replies and prompt prefixes together."""
    evictions: int = 0
    """Stretches of kept prefixes that were let go for want of room: chunks, in the fast back-end blocks."""
    passes: int = 0
    """Forward passes in all, those over options apart; one of the fast back-end may be a prefill and a step at once."""

    @property
    def reused(self) -> int:
        """Prompt tokens whose keys and values were at hand."""
        return self.asked - self.computed

    @property
    def hit_rate(self) -> float | None:
        """Share of the prompt tokens that was reused; None before the first."""
        return self.reused / self.asked if self.asked else None


class Tally:
    """The counts in the making."""

    def __init__(self) -> None:
        self.asked = self.computed = self.cache_peak = self.evictions = self.passes = 0
        self.prefills: Counter[int] = Counter()
        self.steps: Counter[int] = Counter()

    def held(self, size: int) -> None:
        """So many bytes of keys and values are held now."""
        self.cache_peak = max(self.cache_peak, size)

    def taken(self) -> Statistics:
        """A copy that does not change any more."""
        return Statistics(
            self.asked,
            self.computed,
            FrozenMap(self.prefills),
            FrozenMap(self.steps),
            self.cache_peak,
            self.evictions,
            self.passes,
        )
