"""Hard caps: what is not reserved is not spent. A ledger never passes its budget, nor its parent's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestra.errors import BadInput, BudgetSpent
from orchestra.types import Usage


@dataclass(frozen=True, slots=True)
class Budget:
    """Hard caps of one run, sub-team or tree.

    >>> Budget(calls=3).calls
    3
    """

    calls: float = math.inf
    tokens: float = math.inf
    """In + out, cached or not."""
    cost: float = math.inf
    seconds: float = math.inf
    """Of model time as recorded, so that a resumed run stops in the same place."""

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "cost", "seconds"):
            value = getattr(self, name)
            if not value > 0:
                raise BadInput(f"budget {name}={value!r}: expected a number above 0; leave it out for no cap")


UNFORESEEN = ("cost", "seconds")
"""What a worst case may leave open: such a cap is passed by one call at most, and then holds."""


class CapReached(BudgetSpent):
    """A cap does not let a call through; carries whose."""

    def __init__(self, text: str, ledger: Ledger) -> None:
        super().__init__(text)
        self.ledger = ledger


class Ledger:
    """What was spent and what is held under a budget, and under those of the enclosing teams.

    >>> ledger = Ledger(Budget(calls=2)); one = Usage(calls=1)
    >>> ledger.hold(one); ledger.hold(one); ledger.fits(one)
    False
    >>> ledger.settle(one, Usage()); ledger.fits(one)
    True
    """

    __slots__ = ("budget", "held", "parent", "spent")

    def __init__(self, budget: Budget, parent: Ledger | None = None) -> None:
        self.budget = budget
        self.parent = parent
        self.spent = Usage()
        self.held = Usage()

    def fits(self, bound: Usage) -> bool:
        """Whether a worst case can still be held, here and in every enclosing ledger."""
        return self._lacking(bound) is None

    def foresees(self, bound: Usage) -> bool:
        """Whether a worst case says something on every cap, here and above; of time and prices it often cannot."""
        ledger: Ledger | None = self
        while ledger is not None:
            for name in UNFORESEEN:
                if getattr(ledger.budget, name) < math.inf and not getattr(bound, name):
                    return False
            ledger = ledger.parent
        return True

    def below(self, other: Ledger | None) -> bool:
        """Whether this is the cap of something within what `other` caps; None: within a run without a cap."""
        ledger = self.parent
        while ledger is not None and ledger is not other:
            ledger = ledger.parent
        return ledger is other

    def hold(self, bound: Usage) -> None:
        """Reserves a worst case; BudgetSpent, naming the cap, if it does not fit. Reserves nothing then."""
        if (lack := self._lacking(bound)) is not None:
            raise CapReached(*lack)
        ledger: Ledger | None = self
        while ledger is not None:
            ledger.held = ledger.held + bound
            ledger = ledger.parent

    def settle(self, bound: Usage, actual: Usage) -> None:
        """Gives back what was held and charges what was spent."""
        back = Usage(-bound.calls, -bound.tokens_in, -bound.tokens_out, -bound.cost, -bound.seconds)
        ledger: Ledger | None = self
        while ledger is not None:
            ledger.held = ledger.held + back
            ledger.spent = ledger.spent + actual
            ledger = ledger.parent

    def _lacking(self, bound: Usage) -> tuple[str, Ledger] | None:
        ledger: Ledger | None = self
        while ledger is not None:
            taken = ledger.spent + ledger.held
            for name in ("calls", "tokens", "cost", "seconds"):
                cap, used, more = getattr(ledger.budget, name), getattr(taken, name), getattr(bound, name)
                if used + more > cap or (name in UNFORESEEN and used >= cap):
                    text = f"budget of {cap:g} {name} spent: {used:g} used or held, the next call needs up to {more:g}"
                    return text, ledger
            ledger = ledger.parent
        return None
