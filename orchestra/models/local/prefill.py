"""Prompts to keys and values, each shared prefix computed once.

A prompt is cut into chunks of CHUNK tokens from its first token on, and a chunk's queries look at all slots up to the
end of their chunk. What is computed for a chunk thus depends on the tokens up to its end and on nothing else, so it
has the same bits whether it is computed now, was cached, or is shared with other prompts.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from orchestra.models.local.attention import Block, Span
from orchestra.models.local.lora import Adapter
from orchestra.models.local.network import Network

CHUNK = 16
"""Tokens: small, so that prompts share much and pad little."""
FORWARD = 2048
"""Tokens of one forward pass, at most, unless a single prompt is longer; bounds the memory of activations."""


class Prompt(NamedTuple):
    """Token ids under an adapter; equal prompts have equal keys and values."""

    ids: tuple[int, ...]
    adapter: Adapter | None

    def chunk(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Names what chunk `index` holds: the adapter and all tokens up to the chunk's end."""
        return self.adapter.digest if self.adapter else "", self.ids[: (index + 1) * CHUNK]

    @property
    def chunks(self) -> int:
        return -(-len(self.ids) // CHUNK)


class Prefilled(NamedTuple):
    """A prompt's keys and values (layers, key-value heads, tokens, head size) and its last hidden state (H,)."""

    keys: Tensor
    values: Tensor
    hidden: Tensor


class Prefill:
    """Computes prompts and keeps whole chunks, the least recently used going first."""

    def __init__(self, network: Network, *, keep: int) -> None:
        """`keep`: bytes of keys and values."""
        self._network = network
        self._room = max(1, keep // (network.slot_bytes() * CHUNK))
        self._kept: OrderedDict[tuple[str, tuple[int, ...]], tuple[Tensor, Tensor]] = OrderedDict()

    def __call__(self, prompts: Sequence[Prompt]) -> Iterator[dict[Prompt, Prefilled]]:
        """Every distinct prompt once, a forward pass at a time.

        Of prompts that lack the same next chunk one goes first and the others wait for it to be kept.
        """
        pending = list(dict.fromkeys(prompts))
        while pending:
            claimed, waiting = set(), []
            alike: dict[tuple[int, int], list[Prompt]] = defaultdict(list)
            for prompt in pending:
                start = self._cached(prompt)
                if prompt.chunk(start) in claimed:
                    waiting.append(prompt)
                else:
                    claimed.add(prompt.chunk(start))
                    alike[start, prompt.chunks - start].append(prompt)
            for (start, count), group in alike.items():
                size = max(1, FORWARD // (count * CHUNK))
                for first in range(0, len(group), size):
                    yield self._forward(group[first : first + size], start, count)
            pending = waiting
            while len(self._kept) > self._room:  # not before: the forwards of a wave count on what they saw kept
                self._kept.popitem(last=False)

    def _cached(self, prompt: Prompt) -> int:
        """Leading chunks at hand. The chunk of the last token is always computed: its hidden state is wanted."""
        for index in range(prompt.chunks - 1):
            name = prompt.chunk(index)
            if name not in self._kept:
                return index
            self._kept.move_to_end(name)
        return prompt.chunks - 1

    def _forward(self, prompts: Sequence[Prompt], start: int, count: int) -> dict[Prompt, Prefilled]:
        """Chunks start:start+count of each prompt, the last padded with token 0 on the right."""
        first, end = start * CHUNK, (start + count) * CHUNK
        keys, values = self._network.buffers(len(prompts), end)
        ids = torch.zeros(len(prompts), end - first, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt.ids) - first] = torch.tensor(prompt.ids[first:])
            for index in range(start):
                at = slice(index * CHUNK, (index + 1) * CHUNK)
                keys[:, row, :, at], values[:, row, :, at] = self._kept[prompt.chunk(index)]
        blocks = tuple(self._block(first, at) for at in range(0, end - first, CHUNK))
        span = Span(slice(0, len(prompts)), keys, values, slice(first, end), blocks)
        positions = torch.arange(first, end).expand(len(prompts), -1)
        hidden = self._network.hidden(ids, positions, [span], [prompt.adapter for prompt in prompts])
        done = {}
        for row, prompt in enumerate(prompts):
            self._keep(prompt, start, keys[:, row], values[:, row])
            used = slice(0, len(prompt.ids))
            done[prompt] = Prefilled(keys[:, row, :, used], values[:, row, :, used], hidden[row, used.stop - 1 - first])
        return done

    def _block(self, first: int, at: int) -> Block:
        """Causal attention of the chunk that begins at query `at` of a forward pass and at slot first + at."""
        length = first + at + CHUNK
        own = torch.arange(first + at, length)
        return Block(at, at + CHUNK, length, self._network.bias((torch.arange(length) > own[:, None])[None]))

    def _keep(self, prompt: Prompt, start: int, keys: Tensor, values: Tensor) -> None:
        for index in range(start, len(prompt.ids) // CHUNK):
            at = slice(index * CHUNK, (index + 1) * CHUNK)
            self._kept[prompt.chunk(index)] = keys[:, :, at].clone(), values[:, :, at].clone()
