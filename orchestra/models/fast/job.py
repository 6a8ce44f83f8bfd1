"""What an item asks of a network: one token sequence for a reply, one an option for a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from orchestra.models.fast.blocks import NOWHERE, SIZE, Blocks, Copy, Lease
from orchestra.models.fast.network import Piece
from orchestra.models.local.row import Row
from orchestra.models.local.scoring import Options


@dataclass(slots=True, eq=False)
class Part:
    """A token sequence, as far as it is computed."""

    prompt: tuple[int, ...]
    rest: Sequence[int]
    """Tokens that are not computed yet."""
    wanted: int
    """So many last ones of `rest` ask for logits of the next token."""
    longest: int
    """Tokens that it may come to have."""
    lease: Lease = NOWHERE
    past: int = 0
    """Tokens that are computed."""

    @property
    def piece(self) -> Piece:
        return Piece(self.rest, self.past, self.lease.blocks, self.wanted)

    def open(self, blocks: Blocks, weights: str) -> None:
        """Takes its blocks, and skips the tokens that they hold."""
        self.lease = blocks.open(weights, self.prompt, self.longest)
        self.past, self.rest = self.lease.known, self.rest[self.lease.known :]

    def computed(self) -> None:
        self.past += len(self.rest)
        self.rest = ()


@dataclass(slots=True, eq=False)
class Job:
    """An item and its parts, which begin together."""

    item: Row | Options
    parts: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = self.item.prompt.ids
        if isinstance(self.item, Row):
            self.parts = [Part(ids, ids, 1, self.item.longest)]
        else:
            texts = [(*ids, *option[:-1]) for option in self.item.options]
            self.parts = [
                Part(ids, text, len(option), len(text)) for text, option in zip(texts, self.item.options, strict=True)
            ]

    @property
    def needs(self) -> int:
        """Blocks that it takes where none of its prompt is known."""
        shared = (len(self.item.prompt.ids) - 1) // SIZE
        return shared + sum(-(-part.longest // SIZE) - shared for part in self.parts)

    @property
    def copies(self) -> list[Copy]:
        """What must be copied before it begins."""
        return [part.lease.copy for part in self.parts if part.lease.copy is not None]

    def open(self, blocks: Blocks, weights: str) -> None:
        for part in self.parts:
            part.open(blocks, weights)

    def close(self, blocks: Blocks) -> None:
        for part in self.parts:
            blocks.close(part.lease)


def option_scores(options: Sequence[tuple[int, ...]], logits: Tensor) -> list[float]:
    """Summed log-probability of each option, at temperature 1 over the whole vocabulary; a row of `logits` for each of
    its tokens, in order."""
    ids = torch.tensor([token for option in options for token in option])
    logprobs = torch.log_softmax(logits, -1).gather(1, ids[:, None])[:, 0]
    return [float(part.sum()) for part in torch.split(logprobs, [len(option) for option in options])]
