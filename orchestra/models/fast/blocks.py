"""Which blocks of the cache hold which tokens.

A block that is full of prompt tokens has a name, made of the weights and of every token up to its end, and all rows
with that prefix read the one block. Any other block belongs to one row. Named blocks outlive their rows, the least
recently used going first when room is needed. Two rows never write the same block: a row writes only what it was not
given as known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

SIZE = 32
"""Tokens of a block, as the attention operator wants them on a CPU."""


class Lease(NamedTuple):
    """A row's blocks, in the order of its tokens."""

    blocks: tuple[int, ...]
    known: int
    """Tokens at the beginning whose keys and values the blocks hold, or will hold before anything reads them."""


NOWHERE = Lease((), 0)


class Blocks:
    """Used by one thread. What `open` gives must be computed at once, or all blocks be forgotten."""

    def __init__(self, count: int) -> None:
        self._free = list(range(count))
        self._users = [0] * count
        self._named: dict[bytes, int] = {}
        self._names: dict[int, bytes] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        """Named blocks that no row uses, the least recently used first."""

    @property
    def room(self) -> int:
        """Blocks that new rows may take now."""
        return len(self._free) + len(self._idle)

    def open(self, weights: str, prompt: Sequence[int], longest: int) -> Lease:
        """Blocks for a row that begins with `prompt` and may grow to `longest` tokens, for which there must be room.

        At least the last token of the prompt is never known, since its logits are wanted.
        """
        names = list(_names(weights, prompt[:-1]))
        known = [self._named[name] for name in _leading(names, self._named)]
        for block in known:
            self._use(block)
        blocks = known + [self._take() for _ in range(-(-longest // SIZE) - len(known))]
        for block, name in zip(blocks[len(known) :], names[len(known) :], strict=False):
            self._named[name], self._names[block] = block, name
        return Lease(tuple(blocks), len(known) * SIZE)

    def close(self, lease: Lease) -> None:
        """The row is over: its own blocks are free, those with names wait for the next row with their prefix."""
        for block in reversed(lease.blocks):  # the end of a prefix goes first: without its beginning it is of no use
            self._users[block] -= 1
            if self._users[block]:
                continue
            if block in self._names:
                self._idle[block] = None
            else:
                self._free.append(block)

    def forget(self) -> None:
        """No block is known any more, after a step that may have left some unwritten."""
        self._named.clear()
        self._names.clear()
        self._free.extend(self._idle)
        self._idle.clear()

    def _use(self, block: int) -> None:
        self._users[block] += 1
        self._idle.pop(block, None)

    def _take(self) -> int:
        if self._free:
            block = self._free.pop()
        else:
            block, _ = self._idle.popitem(last=False)
            del self._named[self._names.pop(block)]
        self._users[block] = 1
        return block


def _names(weights: str, tokens: Sequence[int]) -> Iterator[bytes]:
    """A name for each full block of `tokens`, of the weights and all tokens up to the block's end."""
    state = blake2b(weights.encode(), digest_size=16)
    for end in range(SIZE, len(tokens) + 1, SIZE):
        state.update(np.asarray(tokens[end - SIZE : end], np.int64).tobytes())
        yield state.digest()


def _leading(names: Sequence[bytes], known: dict[bytes, int]) -> Iterator[bytes]:
    for name in names:
        if name not in known:
            return
        yield name
