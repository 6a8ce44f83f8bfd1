"""Rows of one batch, each through its own adapter, as one low-rank update (a dense form of S-LoRA, arXiv 2311.03285).

The factors of all adapters stand side by side, down = (A1; A2; ...) and up = (B1, B2, ...), and of x -> down(x) a row
keeps the numbers of its own adapter alone. Zeros add exactly, so a row's result does not depend on the adapters beside
it, and two products serve them all; `mix_invariant` checks what that rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from orchestra.models.local.lora import Adapter, LowRank, Place
from orchestra.models.local.matmul import Add, Multiply, added, at_least_two, packed, two_added

STEP = 16
"""Ranks are filled up to multiples of it with zeros: kernels take the numbers of a sum in pairs and blocks."""
KEPT = 8
"""Adapters that a mix holds beyond those that a batch needs: laying one out takes longer than a decode step."""


class _Laid(NamedTuple):
    """One place's update, laid out for the kernels."""

    down: Multiply
    up: Add
    widths: tuple[int, ...]
    """Numbers of each adapter in x -> down(x); 0 where it leaves the place alone."""


class Mix:
    """Some adapters side by side."""

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self.adapters = tuple(adapters)
        self.number = {adapter.digest: number for number, adapter in enumerate(self.adapters)}
        self._laid: dict[str, _Laid | None] = {}

    def laid(self, place: str) -> _Laid | None:
        """The update of a place, by its first name; None where no adapter touches it."""
        if place not in self._laid:
            updates = [adapter.updates.get(place) for adapter in self.adapters]
            self._laid[place] = _side_by_side(updates) if any(updates) else None
        return self._laid[place]


class Routes:
    """Which rows of the running batch go through which adapter; set before each forward by the thread that runs it."""

    def __init__(self) -> None:
        self._mix = Mix(())
        self._own = torch.zeros(0, dtype=torch.long)
        self._all_alike = False
        self._used = False
        self._kept: dict[tuple[int, ...], Tensor] = {}

    def assign(self, adapters: Sequence[Adapter | None]) -> None:
        """One adapter (None: the base alone) for each token of the batch."""
        needed = {adapter.digest: adapter for adapter in adapters if adapter is not None}
        self._used = bool(needed)
        if not needed:
            return
        if not needed.keys() <= self._mix.number.keys():
            old = [adapter for adapter in self._mix.adapters if adapter.digest not in needed]
            self._mix = Mix([*needed.values(), *old[: max(0, KEPT - len(needed))]])
        number = self._mix.number
        self._own = torch.tensor([-1 if adapter is None else number[adapter.digest] for adapter in adapters])
        self._all_alike = len(self._mix.adapters) == 1 and None not in adapters
        self._kept = {}

    def updated(self, place: str, x: Tensor, out: Tensor) -> Tensor:
        """`out` (B, T, N) of a product of x (B, T, K), with the update of each row's adapter added."""
        laid = self._mix.laid(place) if self._used else None
        if laid is None:
            return out
        low = at_least_two(laid.down, x)
        if not self._all_alike:
            low.mul_(self._mask(laid.widths, low))
        return two_added(laid.up, low, out)

    def _mask(self, widths: tuple[int, ...], low: Tensor) -> Tensor:
        """1 for what a row keeps: (B, 1, R), or with as many axes as x has."""
        if widths not in self._kept:
            owner = torch.arange(len(widths)).repeat_interleave(torch.tensor(widths))
            self._kept[widths] = (self._own[:, None] == owner).to(low.dtype)
        mask = self._kept[widths]
        return mask.view(len(mask), *(1,) * (low.dim() - 2), -1)


def _side_by_side(updates: Sequence[LowRank | None]) -> _Laid:
    present = [update for update in updates if update is not None]
    downs, ups = [_filled(update.down, 0) for update in present], [_filled(update.up, 1) for update in present]
    widths = tuple(0 if update is None else _up_to_step(len(update.down)) for update in updates)
    return _Laid(packed(torch.cat(downs)), added(torch.cat(ups, 1)), widths)


def _up_to_step(rank: int) -> int:
    return -(-rank // STEP) * STEP


def _filled(factor: Tensor, axis: int) -> Tensor:
    """A factor with zeros up to a full rank along `axis`."""
    shape = list(factor.shape)
    shape[axis] = _up_to_step(shape[axis]) - shape[axis]
    return torch.cat([factor, factor.new_zeros(shape)], axis)


@torch.inference_mode()
def mix_invariant(places: Sequence[Place], dtype: torch.dtype) -> bool:
    """Whether on this machine each shape of update gives a row the same bits beside 0, 1, 3 and 7 other adapters."""
    dice = torch.Generator().manual_seed(0)

    def factor(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=dice).to(dtype)

    for place in {(place.inputs, sum(place.widths), len(place.widths)): place for place in places}.values():
        rank, width = STEP * len(place.widths), sum(place.widths)
        adapters = [
            Adapter(str(i), {place.names[0]: LowRank(factor(rank, place.inputs), factor(width, rank))})
            for i in range(8)
        ]
        x, out = factor(33, 1, place.inputs), factor(33, 1, width)
        alone = _routed(adapters[:1], [adapters[0]] * 2, place, x[:2], out[:2])
        for others in (1, 2, 4, 8):
            rows = [adapters[0], adapters[0], *(adapters[i % others] for i in range(31))]
            if not torch.equal(_routed(adapters[:others], rows, place, x, out)[:2], alone):
                return False
    return True


def _routed(mixed: Sequence[Adapter], rows: Sequence[Adapter], place: Place, x: Tensor, out: Tensor) -> Tensor:
    routes = Routes()
    routes.assign(mixed)  # all of them are in the mix from here on
    routes.assign(rows)
    return routes.updated(place.names[0], x, out)
