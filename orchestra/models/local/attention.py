"""Attention over start-aligned slots: a row's numbers depend on its own buffer and never on the rows beside it.

Each row writes the keys and values of token p into slot p of a buffer, without padding on the left. The queries that
share a key-value head (grouped-query attention, Ainslie et al. 2023) and a row are one matrix product over that
buffer, so no keys are repeated. transformers' own modules reach this file through its `AttentionInterface`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

NAME = "orchestra_slots"


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Queries `start:stop` of each row of a span, which look at slots `0:length`."""

    start: int
    stop: int
    length: int
    bias: Tensor
    """Added to the scores, -inf where a query may not look: (rows x key-value heads or 1, queries of a group or 1,
    length)."""


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Rows of a batch that share one buffer length and bring equally many tokens."""

    tokens: slice
    """Where their tokens are in the batch, one row's behind another's."""
    count: int
    """Tokens of a row, T."""
    keys: Tensor
    """(layers, rows, key-value heads, slots, head size), as `values`."""
    values: Tensor
    at: slice | Tensor
    """The slots that this forward writes: the same for all rows, or (rows, T) of them."""
    blocks: tuple[Block, ...]

    def of(self, x: Tensor) -> Tensor:
        """The span's part (rows, heads, T, D) of a batch (N, heads, 1, D)."""
        own = x[self.tokens, :, 0]
        return own.reshape(-1, self.count, *own.shape[1:]).transpose(1, 2)

    def write(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Stores the new tokens' (rows, heads, T, D) and returns the whole buffers of this layer."""
        keys, values = self.keys[layer], self.values[layer]
        if isinstance(self.at, slice):
            keys[:, :, self.at], values[:, :, self.at] = key, value
        else:
            row = torch.arange(len(key))[:, None]
            keys[row, :, self.at], values[row, :, self.at] = key.transpose(1, 2), value.transpose(1, 2)
        return keys, values


def attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scaling: float) -> Tensor:
    """Queries (B, Hq, T, D) over (B, Hkv, L, D); returns (B, T, Hq, D). Softmax in float32."""
    rows, heads, count, size = query.shape
    kv_heads, length = keys.shape[1:3]
    shared = query.reshape(rows * kv_heads, heads // kv_heads * count, size)
    scores = torch.baddbmm(bias, shared, keys.reshape(-1, length, size).transpose(1, 2), alpha=scaling)
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
    return torch.bmm(weights, values.reshape(-1, length, size)).view(rows, heads, count, size).transpose(1, 2)


def slot_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Any,
    *,
    scaling: float,
    spans: Sequence[Span],
    **unused: Any,
) -> tuple[Tensor, None]:
    """transformers' attention seam: `spans` comes down from the model call; its mask is not used."""
    tokens, heads, _, size = query.shape  # a token is a row of its own
    out = query.new_empty(tokens, heads, size)
    for span in spans:
        queries, rows = span.of(query), out[span.tokens].view(-1, span.count, heads, size)
        keys, values = span.write(module.layer_idx, span.of(key), span.of(value))  # type: ignore[arg-type]
        for block in span.blocks:
            seen = keys[:, :, : block.length], values[:, :, : block.length]
            own = slice(block.start, block.stop)
            rows[:, own] = attend(queries[:, :, own], *seen, block.bias, scaling)
    return out[:, None], None


def grouped(mask: Tensor, heads: int, kv_heads: int, dtype: torch.dtype) -> Tensor:
    """The bias of a boolean mask (rows or 1, T, L), True where a query may not look, laid out as `attend` wants it."""
    bias = torch.zeros(mask.shape, dtype=dtype).masked_fill_(mask, float("-inf"))
    if mask.shape[1] > 1:
        bias = bias.repeat(1, heads // kv_heads, 1)
    return bias if len(bias) == 1 else bias.repeat_interleave(kv_heads, 0)


AttentionInterface.register(NAME, slot_attention)
