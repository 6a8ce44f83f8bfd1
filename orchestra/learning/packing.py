"""Rows as trees: what several rows begin with is read once, and each row gets what it would get alone.

    two rows        5 6 7 8      5 6 9          7, 8 and 9 labelled
    one pack        ids        5  6  7  9       8 is only predicted, so nobody reads it
                    positions  0  1  2  2
                    attends    a token reads itself and its ancestors: 9 reads 5 and 6, not 7
                    scored     6 -> 7, 7 -> 8, 6 -> 9

Under causal attention a token depends on its ancestors alone, so hidden states, loss and gradient are those of the rows
read one by one. Rows need not be siblings: whatever they share from the first token on is shared. Trees of a pack
are strangers to each other. Nothing is padded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from orchestra.learning.row import IGNORED, Row


class Weighed(NamedTuple):
    """A row and how much each of its labelled tokens counts in the loss."""

    row: Row
    weight: float


class Pack(NamedTuple):
    """One forward pass. L tokens read, N scored."""

    ids: Tensor
    """(1, L)"""
    positions: Tensor
    """(1, L): depth in the tree."""
    mask: Tensor
    """(1, 1, L, L), bool: query reads key."""
    at: Tensor
    """(N,): the token after which a target is predicted."""
    targets: Tensor
    """(N,)"""
    weights: Tensor
    """(N,), fp32: sum over the rows that predict this target here."""
    members: Tensor
    """(R,): the rows that are in it, by their places among those given."""
    which: Tensor
    """(M,): of each labelled token, row after row, the place of its target."""

    def to(self, device: torch.device) -> Pack:
        return Pack(*(tensor.to(device) for tensor in self))


def packs(rows: Iterable[Weighed], budget: int) -> list[Pack]:
    """Packs of at most `budget` tokens that hold each row once; a row longer than that has a pack for itself."""
    return [_pack(part) for part in _parts(rows, budget)]


def labelled(row: Row) -> int:
    """How many tokens the row teaches; the first has nothing before it and teaches nothing."""
    return sum(label != IGNORED for label in row.labels[1:])


def read(row: Row) -> tuple[int, ...]:
    """The tokens that some target of the row depends on."""
    last = max((at for at, label in enumerate(row.labels) if label != IGNORED), default=0)
    return row.input_ids[:last]


def costs(rows: Sequence[Row]) -> list[int]:
    """Tokens that each row adds to a tree of those before it; rows are in the order of what they read."""
    before: tuple[int, ...] = ()
    added = []
    for row in rows:
        now = read(row)
        added.append(len(now) - _shared(before, now))
        before = now
    return added


def _parts(rows: Iterable[Weighed], budget: int) -> list[list[tuple[int, Weighed]]]:
    """Rows with their places, in the order of what they read: a row shares most with the one before it."""
    ordered = sorted(enumerate(rows), key=lambda placed: read(placed[1].row))
    parts: list[list[tuple[int, Weighed]]] = []
    size = 0
    for placed, cost in zip(ordered, costs([weighed.row for _, weighed in ordered]), strict=True):
        if parts and size + cost <= budget:
            parts[-1].append(placed)
            size += cost
        else:
            parts.append([placed])
            size = len(read(placed[1].row))
    return parts


def _pack(rows: Sequence[tuple[int, Weighed]]) -> Pack:
    """The tree of rows in the order of what they read; tokens of a row that are new stand together."""
    ids: list[int] = []
    positions: list[int] = []
    before: tuple[int, ...] = ()
    path: list[int] = []
    branches: list[tuple[list[int], int, int]] = []
    scored: dict[tuple[int, int], float] = {}
    met: list[tuple[int, int]] = []
    for _, (row, weight) in rows:
        now = read(row)
        shared = _shared(before, now)
        path = [*path[:shared], *range(len(ids), len(ids) + len(now) - shared)]
        branches.append((path[:shared], len(ids), len(ids) + len(now) - shared))
        ids += now[shared:]
        positions += range(shared, len(now))
        for at, label in enumerate(row.labels[1:]):
            if label != IGNORED:
                met.append((path[at], label))
                scored[met[-1]] = scored.get(met[-1], 0.0) + weight
        before = now
    after, targets = zip(*scored, strict=True)
    places = {target: place for place, target in enumerate(scored)}
    return Pack(
        torch.tensor([ids]),
        torch.tensor([positions]),
        _mask(branches, len(ids)),
        torch.tensor(after),
        torch.tensor(targets),
        torch.tensor(list(scored.values()), dtype=torch.float32),
        torch.tensor([place for place, _ in rows]),
        torch.tensor([places[target] for target in met]),
    )


def _mask(branches: Iterable[tuple[list[int], int, int]], size: int) -> Tensor:
    """(1, 1, L, L) from (ancestors, first new token, one past the last) of each row."""
    mask = torch.zeros(size, size, dtype=torch.bool)
    for ancestors, start, stop in branches:
        mask[start:stop, ancestors] = True
        mask[start:stop, start:stop] = torch.ones(stop - start, stop - start, dtype=torch.bool).tril()
    return mask[None, None]


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))
