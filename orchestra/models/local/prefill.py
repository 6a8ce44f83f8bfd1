"""Prompts to keys and values, each shared prefix computed once.

A prompt is cut into chunks of CHUNK tokens from its first token on, and a chunk's queries look at all slots up to the
end of their chunk. What is computed for a chunk thus depends on the tokens up to its end and on nothing else, so it
has the same bits whether it is computed now, was cached, or is shared with other prompts.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from orchestra.models.local.attention import Block, Span
from orchestra.models.local.lora import Adapter
from orchestra.models.local.network import Network
from orchestra.models.local.statistics import Tally

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


@dataclass(frozen=True, slots=True)
class _Part:
    """Prompts of which chunks `start:end` are wanted and those before `start` are kept."""

    prompts: Sequence[Prompt]
    start: int
    end: int

    @property
    def slots(self) -> slice:
        """Those that are computed."""
        return slice(self.start * CHUNK, self.end * CHUNK)

    @property
    def count(self) -> int:
        """Tokens of each prompt."""
        return (self.end - self.start) * CHUNK

    @property
    def tokens(self) -> int:
        return len(self.prompts) * self.count

    def ids(self) -> Tensor:
        """(prompts x count,), the last chunk of each padded with token 0 on the right."""
        ids = torch.zeros(len(self.prompts), self.count, dtype=torch.long)
        for row, prompt in enumerate(self.prompts):
            own = prompt.ids[self.slots]
            ids[row, : len(own)] = torch.tensor(own)
        return ids.flatten()

    def positions(self) -> Tensor:
        return torch.arange(self.slots.start, self.slots.stop).repeat(len(self.prompts))


class Prefill:
    """Computes prompts and keeps whole chunks, the least recently used going first."""

    def __init__(self, network: Network, *, keep: int, tally: Tally) -> None:
        """`keep`: bytes of keys and values."""
        self._network, self._tally = network, tally
        self._room = max(1, keep // (network.slot_bytes() * CHUNK))
        self._kept: OrderedDict[tuple[str, tuple[int, ...]], tuple[Tensor, Tensor]] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes of keys and values that are kept."""
        return len(self._kept) * self._network.slot_bytes() * CHUNK

    def __call__(self, prompts: Sequence[Prompt]) -> Iterator[dict[Prompt, Prefilled]]:
        """Every distinct prompt once, a forward pass at a time.

        Of prompts that lack the same next chunk one goes first and the others wait for it to be kept.
        """
        pending = list(dict.fromkeys(prompts))
        while pending:
            parts, pending = self._wave(pending)
            passes = _passes(parts)
            for number, together in enumerate(passes, 1):
                done = self._forward(together)
                if number == len(passes):  # not before: the passes of a wave count on what they saw kept
                    self._evict()
                yield done

    def _wave(self, pending: Sequence[Prompt]) -> tuple[list[_Part], list[Prompt]]:
        """What can be computed now, and who waits for it."""
        claimed, waiting = set(), []
        alike: dict[tuple[int, int], list[Prompt]] = defaultdict(list)
        for prompt in pending:
            start = self._cached(prompt)
            if prompt.chunk(start) in claimed:
                waiting.append(prompt)
            else:
                claimed.add(prompt.chunk(start))
                alike[start, prompt.chunks].append(prompt)
        return [_Part(group, *at) for at, group in alike.items()], waiting

    def _cached(self, prompt: Prompt) -> int:
        """Leading chunks at hand. The chunk of the last token is always computed: its hidden state is wanted."""
        for index in range(prompt.chunks - 1):
            name = prompt.chunk(index)
            if name not in self._kept:
                return index
            self._kept.move_to_end(name)
        return prompt.chunks - 1

    def _forward(self, parts: Sequence[_Part]) -> dict[Prompt, Prefilled]:
        spans: list[Span] = []
        for part in parts:
            spans.append(self._span(part, spans[-1].tokens.stop if spans else 0))
        adapters = [prompt.adapter for part in parts for prompt in part.prompts for _ in range(part.count)]
        ids, positions = torch.cat([part.ids() for part in parts]), torch.cat([part.positions() for part in parts])
        hidden = self._network.hidden(ids, positions, spans, adapters)
        self._count(parts)
        done = {}
        for part, span in zip(parts, spans, strict=True):
            states = hidden[span.tokens].view(len(part.prompts), part.count, -1)
            for row, prompt in enumerate(part.prompts):
                keys, values, length = span.keys[:, row], span.values[:, row], len(prompt.ids)
                self._keep(prompt, part.start, keys, values)
                last = states[row, length - 1 - part.slots.start]
                done[prompt] = Prefilled(keys[:, :, :length], values[:, :, :length], last)
        return done

    def _span(self, part: _Part, begin: int) -> Span:
        """Buffers with what is kept of the prompts, whose tokens are `begin`... of a batch."""
        keys, values = self._network.buffers(len(part.prompts), part.slots.stop)
        for row, prompt in enumerate(part.prompts):
            for index in range(part.start):
                at = slice(index * CHUNK, (index + 1) * CHUNK)
                keys[:, row, :, at], values[:, row, :, at] = self._kept[prompt.chunk(index)]
        blocks = tuple(self._block(part.slots.start, at) for at in range(0, part.count, CHUNK))
        return Span(slice(begin, begin + part.tokens), part.count, keys, values, part.slots, blocks)

    def _block(self, first: int, at: int) -> Block:
        """Causal attention of the chunk that begins at query `at` of a row and at slot first + at."""
        length = first + at + CHUNK
        own = torch.arange(first + at, length)
        return Block(at, at + CHUNK, length, self._network.bias((torch.arange(length) > own[:, None])[None]))

    def _keep(self, prompt: Prompt, start: int, keys: Tensor, values: Tensor) -> None:
        for index in range(start, len(prompt.ids) // CHUNK):
            at = slice(index * CHUNK, (index + 1) * CHUNK)
            self._kept[prompt.chunk(index)] = keys[:, :, at].clone(), values[:, :, at].clone()

    def _evict(self) -> None:
        self._tally.held(self.held)
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)
            self._tally.evictions += 1

    def _count(self, parts: Sequence[_Part]) -> None:
        """A pass over these parts."""
        prompts = [(len(prompt.ids), part.slots.start) for part in parts for prompt in part.prompts]
        self._tally.passes += 1
        self._tally.prefills[len(prompts)] += 1
        self._tally.computed += sum(length - start for length, start in prompts)


def _passes(parts: Sequence[_Part]) -> list[list[_Part]]:
    """The parts of each forward pass, FORWARD tokens or a single prompt at most."""
    passes: list[list[_Part]] = []
    room = 0
    for whole in parts:
        most = max(1, FORWARD // whole.count)
        for first in range(0, len(whole.prompts), most):
            part = _Part(whole.prompts[first : first + most], whole.start, whole.end)
            if part.tokens > room:
                passes.append([])
                room = FORWARD
            passes[-1].append(part)
            room -= part.tokens
    return passes
