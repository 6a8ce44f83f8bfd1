"""Key-value buffers of the rows that decode: pools of one buffer length each, a row's length set by its own position.

A row starts in the smallest buffer that holds it and is copied to the next size when it has filled it, so short replies
never pay for the longest they might have been, and the slots that a row attends over depend on that row alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from orchestra.models.local.attention import Block, Span
from orchestra.models.local.network import Network
from orchestra.models.local.prefill import Prefilled
from orchestra.models.local.row import Row


def bucket(slots: int) -> int:
    """Buffer length for a row of so many slots: steps of 64, wider beyond 512, at most a quarter unused beyond 256.

    >>> [bucket(slots) for slots in (1, 64, 65, 512, 513, 1025)]
    [64, 64, 128, 512, 640, 1280]
    """
    step = max(64, 1 << ((slots - 1).bit_length() - 3)) if slots > 1 else 64
    return -(-slots // step) * step


class Pool:
    """Rows 0..n-1 of buffers of one length; a gap is closed by the last row."""

    def __init__(self, network: Network, length: int) -> None:
        self.network, self.length = network, length
        self.rows: list[Row] = []
        self.keys, self.values = network.buffers(0, length)

    def add(self, row: Row, keys: Tensor, values: Tensor) -> None:
        """Copies the row's keys and values (layers, heads, tokens, D) in; capacity doubles when it is used up."""
        index, used = len(self.rows), keys.shape[2]
        if index == self.keys.shape[1]:
            more = self.network.buffers(max(4, index), self.length)
            self.keys, self.values = torch.cat([self.keys, more[0]], 1), torch.cat([self.values, more[1]], 1)
        self.keys[:, index, :, :used], self.values[:, index, :, :used] = keys, values
        self.rows.append(row)

    def remove(self, index: int) -> None:
        last = self.rows.pop()
        if index < len(self.rows):
            self.rows[index] = last
            self.keys[:, index], self.values[:, index] = self.keys[:, len(self.rows)], self.values[:, len(self.rows)]

    def span(self, start: int) -> Span:
        """This pool's rows as rows `start`... of a batch that decodes one token each."""
        count = len(self.rows)
        at = torch.tensor([row.slot for row in self.rows])[:, None]
        bias = self.network.bias((torch.arange(self.length) > at)[:, None])
        block = Block(0, 1, self.length, bias)
        return Span(slice(start, start + count), 1, self.keys[:, :count], self.values[:, :count], at, (block,))


class Pools:
    """All decoding rows, in an order that has no meaning."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._pools: dict[int, Pool] = {}

    def __len__(self) -> int:
        return sum(len(pool.rows) for pool in self._pools.values())

    @property
    def rows(self) -> list[Row]:
        """As `batch` orders them."""
        return [row for pool in self._pools.values() for row in pool.rows]

    @property
    def held(self) -> int:
        """Bytes of the buffers, with the room in them that no row uses."""
        return sum(pool.keys.nbytes + pool.values.nbytes for pool in self._pools.values())

    def add(self, row: Row, prefilled: Prefilled) -> None:
        self._pool(bucket(row.slot + 1)).add(row, prefilled.keys, prefilled.values)

    def remove(self, rows: Sequence[Row]) -> None:
        """Lets go of these rows, and of a pool's memory when its last row leaves."""
        gone = set(map(id, rows))
        for length, pool in list(self._pools.items()):
            for index in reversed(range(len(pool.rows))):
                if id(pool.rows[index]) in gone:
                    pool.remove(index)
            if not pool.rows:
                del self._pools[length]

    def batch(self) -> tuple[list[Row], list[Span]]:
        """The rows and their buffers for the next forward; rows whose buffer is full move to a longer one first."""
        for length, pool in list(self._pools.items()):
            for index in reversed(range(len(pool.rows))):
                row = pool.rows[index]
                if row.slot >= length:
                    self._pool(bucket(row.slot + 1)).add(row, pool.keys[:, index], pool.values[:, index])
                    pool.remove(index)
            if not pool.rows:
                del self._pools[length]
        spans: list[Span] = []
        for pool in self._pools.values():
            spans.append(pool.span(spans[-1].tokens.stop if spans else 0))
        return self.rows, spans

    def _pool(self, length: int) -> Pool:
        if length not in self._pools:
            self._pools[length] = Pool(self._network, length)
        return self._pools[length]
