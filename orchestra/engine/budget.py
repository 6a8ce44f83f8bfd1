"""Hard caps: what is not reserved is not spent. A ledger never passes its budget, nor its parent's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from orchestra.errors import BadInput, BudgetSpent
from orchestra.types import EMPTY, FrozenMap, Usage


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
    roles: FrozenMap[str, Budget] = EMPTY
    """Caps of single roles within these, by the role's name."""

    def __post_init__(self) -> None:
        for name in CAPS:
            value = getattr(self, name)
            if not value > 0:
                raise BadInput(f"budget {name}={value!r}: expected a number above 0; leave it out for no cap")
        object.__setattr__(self, "roles", FrozenMap(self.roles))
        if nested := [role for role, part in self.roles.items() if part.roles]:
            raise BadInput(f"budget of role {nested[0]!r}: expected caps of that role alone, got roles within it")


CAPS = ("calls", "tokens", "cost", "seconds")

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

    __slots__ = ("_parts", "budget", "held", "parent", "role", "spent")

    def __init__(self, budget: Budget, parent: Ledger | None = None, role: str = "") -> None:
        self.budget = budget
        self.parent = parent
        self.role = role
        """Whose calls alone it counts; empty: all."""
        self.spent = Usage()
        self.held = Usage()
        self._parts = {name: Ledger(part, role=name) for name, part in budget.roles.items()} if budget.roles else None

    def anew(self) -> Ledger:
        """One with the same caps, of which as much is spent, and nothing held."""
        other = Ledger(self.budget, self.parent and self.parent.anew(), self.role)
        other.spent = self.spent
        return other

    def fits(self, bound: Usage, role: str = "") -> bool:
        """Whether a worst case of a role's can still be held, here and in every enclosing ledger."""
        return self._lacking(bound, role) is None

    def foresees(self, bound: Usage, role: str = "") -> bool:
        """Whether a worst case says something on every cap, here and above; of time and prices it often cannot."""
        return not any(
            getattr(ledger.budget, name) < math.inf and not getattr(bound, name)
            for ledger in self._chain(role)
            for name in UNFORESEEN
        )

    def below(self, other: Ledger | None) -> bool:
        """Whether this is the cap of something within what `other` caps; None: within a run without a cap."""
        ledger = self.parent
        while ledger is not None and ledger is not other:
            ledger = ledger.parent
        return ledger is other

    def hold(self, bound: Usage, role: str = "") -> None:
        """Reserves a worst case; CapReached, naming the cap, if it does not fit. Reserves nothing then."""
        if (lack := self._lacking(bound, role)) is not None:
            raise CapReached(*lack)
        for ledger in self._chain(role):
            ledger.held = ledger.held + bound

    def settle(self, bound: Usage, actual: Usage, role: str = "") -> None:
        """Gives back what was held and charges what was spent."""
        back = Usage(-bound.calls, -bound.tokens_in, -bound.tokens_out, -bound.cost, -bound.seconds)
        for ledger in self._chain(role):
            ledger.held = ledger.held + back
            ledger.spent = ledger.spent + actual

    def _chain(self, role: str) -> Iterator[Ledger]:
        """This ledger and those above it, each followed by its part for the role."""
        ledger: Ledger | None = self
        while ledger is not None:
            yield ledger
            if ledger._parts is not None and (part := ledger._parts.get(role)) is not None:
                yield part
            ledger = ledger.parent

    def _lacking(self, bound: Usage, role: str) -> tuple[str, Ledger] | None:
        for ledger in self._chain(role):
            taken = ledger.spent + ledger.held
            for name in CAPS:
                cap, used, more = getattr(ledger.budget, name), getattr(taken, name), getattr(bound, name)
                if used + more > cap or (name in UNFORESEEN and used >= cap):
                    whose = f"budget of {cap:g} {name}" + (f" of role {ledger.role!r}" if ledger.role else "")
                    return f"{whose} spent: {used:g} used or held, the next call needs up to {more:g}", ledger
        return None
