"""Pairs in packs: both replies of a pair stand in one pack, and what they begin with is read once.

The loss of a pair is no sum over tokens, so a pack says whose its tokens are. Tokens that both replies begin with are
one target, and cancel in the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from orchestra.learning.losses import row_sums
from orchestra.learning.packing import Pack, Weighed, costs, labelled, packs, read
from orchestra.learning.pairs import Pair
from orchestra.learning.row import IGNORED, Row


class PairPack(NamedTuple):
    """One forward pass over B pairs."""

    pack: Pack
    among: tuple[int, ...]
    """(B,): place of each pair among those that were packed."""
    replies: Tensor
    """(M,): whose each labelled token is; 2b is the chosen reply of pair b, 2b + 1 the rejected one."""

    def to(self, device: torch.device) -> PairPack:
        return PairPack(self.pack.to(device), self.among, self.replies.to(device))

    def sums(self, logprobs: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (N,) of the targets -> those of the chosen and of the rejected replies, (B,) each."""
        sums = row_sums(logprobs[self.pack.which], self.replies, 2 * len(self.among))
        return sums[0::2], sums[1::2]


def pair_packs(pairs: Sequence[Pair], budget: int) -> list[PairPack]:
    """Packs of at most `budget` tokens that hold each pair once; a pair longer than that has a pack for itself."""
    groups: list[list[int]] = []
    for place in sorted(range(len(pairs)), key=lambda place: pairs[place].prompt_ids):
        grown = [*groups[-1], place] if groups else [place]
        if groups and _cost([pairs[each] for each in grown]) <= budget:
            groups[-1] = grown
        else:
            groups.append([place])
    return [_packed([pairs[place] for place in group], group) for group in groups]


def rows(pair: Pair) -> tuple[Row, Row]:
    """Both replies as rows, with labels on the sampled tokens."""
    sides = (pair.chosen, pair.chosen_ids, pair.chosen_mask), (pair.rejected, pair.rejected_ids, pair.rejected_mask)
    chosen, rejected = (
        Row(
            pair.run, key, pair.role, pair.policy, pair.task, (*pair.prompt_ids, *ids),
            (*[IGNORED] * len(pair.prompt_ids), *(i if kept else IGNORED for i, kept in zip(ids, mask, strict=True))),
        )
        for key, ids, mask in sides
    )  # fmt: skip
    return chosen, rejected


def _cost(pairs: Sequence[Pair]) -> int:
    return sum(costs(sorted((row for pair in pairs for row in rows(pair)), key=read)))


def _packed(pairs: Sequence[Pair], among: Sequence[int]) -> PairPack:
    replies = [row for pair in pairs for row in rows(pair)]
    (pack,) = packs([Weighed(row, 1.0) for row in replies], _cost(pairs))
    whose = [reply for reply in pack.members.tolist() for _ in range(labelled(replies[reply]))]
    return PairPack(pack, tuple(among), torch.tensor(whose))
