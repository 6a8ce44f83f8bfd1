"""Which blocks of the cache hold which tokens.

The beginnings of a prompt have names, made of the weights and of every token up to their end: each beginning of STEP,
2 STEP, ... tokens, and the prompt without its last token. A name says which block holds the end of its tokens. A block
that is full of prompt tokens is read by all rows with that prefix. Any other block belongs to one row; a row whose
prompt agrees with the first tokens of such a block gets a copy of it. Named blocks outlive their rows, the least
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
STEP = 8
"""Tokens, a divisor of SIZE: a longer common beginning than that is worth waiting for."""


class Copy(NamedTuple):
    """Of a whole block; the row goes on behind the tokens that it knows."""

    source: int
    target: int


class Lease(NamedTuple):
    """A row's blocks, in the order of its tokens."""

    blocks: tuple[int, ...]
    known: int
    """Tokens at the beginning whose keys and values the blocks hold, or will hold before anything reads them."""
    copy: Copy | None = None
    """What must be copied before that, all copies of one step together."""


NOWHERE = Lease((), 0)


class _Name(NamedTuple):
    """A beginning of a prompt."""

    end: int
    """Its tokens."""
    digest: bytes


class _Found(NamedTuple):
    """What is at hand of a prompt."""

    shared: list[int]
    """Blocks full of its tokens."""
    known: int
    """Tokens, those behind the shared blocks included."""
    source: int | None
    """The block to copy, for tokens behind the shared blocks."""
    soon: bool
    """Whether there will be more to copy once all that was opened is computed."""


class Blocks:
    """Used by one thread. What `open` gives must be computed before `settle`, or all blocks be forgotten."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = list(range(count))
        self._users = [0] * count
        self._named: dict[bytes, int] = {}
        self._names: dict[int, list[bytes]] = {}
        self._fresh: set[bytes] = set()
        """Names whose tokens are not computed yet."""
        self._idle: OrderedDict[int, None] = OrderedDict()
        """Named blocks that no row uses, the least recently used first."""
        self.evictions = 0
        """Named blocks that were given to other rows, so far."""

    @property
    def room(self) -> int:
        """Blocks that new rows may take now."""
        return len(self._free) + len(self._idle)

    @property
    def used(self) -> int:
        """Blocks that rows use or that have names."""
        return self._count - len(self._free)

    def settle(self) -> None:
        """All that `open` gave so far is computed."""
        self._fresh.clear()

    def soon(self, weights: str, prompt: Sequence[int]) -> bool:
        """Whether a row that begins with `prompt` will find more to copy after `settle` than now."""
        return self._find(list(_names(weights, prompt[:-1]))).soon

    def open(self, weights: str, prompt: Sequence[int], longest: int) -> Lease:
        """Blocks for a row that begins with `prompt` and may grow to `longest` tokens, for which there must be room.

        At least the last token of the prompt is never known, since its logits are wanted.
        """
        names = list(_names(weights, prompt[:-1]))
        found = self._find(names)
        for block in found.shared:
            self._use(block)
        if found.source is not None and found.source in self._idle:
            self._idle.move_to_end(found.source)
        blocks = found.shared + [self._take() for _ in range(-(-longest // SIZE) - len(found.shared))]
        for name in names:
            if name.end > found.known and name.digest not in self._named:
                block = blocks[(name.end - 1) // SIZE]
                self._named[name.digest] = block
                self._names.setdefault(block, []).append(name.digest)
                self._fresh.add(name.digest)
        # The source may be among the row's own blocks by now: what it holds stays until the step is computed.
        copy = None if found.source is None else Copy(found.source, blocks[len(found.shared)])
        return Lease(tuple(blocks), found.known, copy)

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
        self._fresh.clear()
        self._free.extend(self._idle)
        self._idle.clear()

    def _find(self, names: Sequence[_Name]) -> _Found:
        """Shared blocks as far as they go, also those that are being computed; then a copy of what is computed."""
        shared: list[int] = []
        known, source, soon = 0, None, False
        for end, digest in names:
            block = self._named.get(digest)
            if block is None:
                if end % SIZE == 0:
                    break
            elif end % SIZE == 0:
                shared.append(block)
                known, source, soon = end, None, False
            elif digest in self._fresh:
                soon = True
            else:
                known, source, soon = end, block, False
        return _Found(shared, known, source, soon)

    def _use(self, block: int) -> None:
        self._users[block] += 1
        self._idle.pop(block, None)

    def _take(self) -> int:
        if self._free:
            block = self._free.pop()
        else:
            block, _ = self._idle.popitem(last=False)
            for name in self._names.pop(block):
                del self._named[name]
            self.evictions += 1
        self._users[block] = 1
        return block


def _names(weights: str, tokens: Sequence[int]) -> Iterator[_Name]:
    """A name for each beginning of `tokens` that has one, the shortest first."""
    state = blake2b(weights.encode(), digest_size=16)
    ids = np.asarray(tokens, np.int64)
    for start in range(0, len(ids), STEP):
        stretch = ids[start : start + STEP]
        state.update(stretch.tobytes())
        yield _Name(start + len(stretch), state.digest())
