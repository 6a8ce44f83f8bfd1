"""Options scored as whole replies: the sum of log-probabilities of an option's tokens and of the end of turn behind it.

The end of turn belongs to the score, because that makes it the probability that `generate` says this option and nothing
else; without it "1" would also collect the mass of "10". All options of a request run as one forward over its prompt:
branches of a tree, each of which sees the prompt and itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from torch import Tensor

from orchestra.models.local.attention import Block, Span
from orchestra.models.local.network import Network
from orchestra.models.local.prefill import CHUNK, Prefilled, Prompt
from orchestra.models.model import Scores
from orchestra.types import Usage


@dataclass(slots=True, eq=False)
class Options:
    """One request to score: a prompt and the ids of each option, the end of turn included."""

    prompt: Prompt
    options: tuple[tuple[int, ...], ...]
    future: Future[Scores] = field(default_factory=Future)
    seconds: float = 0.0

    @property
    def longest(self) -> int:
        """Slots that it needs."""
        return len(self.prompt.ids) + self.inputs

    @property
    def inputs(self) -> int:
        """Option tokens that the model reads; the last of each is only predicted."""
        return sum(len(option) - 1 for option in self.options)

    def scores(self, logprobs: Sequence[float]) -> Scores:
        lengths = tuple(len(option) for option in self.options)
        usage = Usage(1, len(self.prompt.ids), sum(lengths), 0.0, self.seconds)
        return Scores(tuple(logprobs), lengths, usage)


def score(network: Network, asked: Sequence[Options], prefilled: Sequence[Prefilled]) -> list[list[float]]:
    """Raw summed log-probabilities, at temperature 1 over the whole vocabulary, of each option of each request."""
    states: list[Tensor] = [done.hidden[None] for done in prefilled]
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, item in enumerate(asked):
        if item.inputs:
            alike[item.prompt.chunks, item.inputs].append(index)
    for group in alike.values():
        hidden = _read(network, [asked[index] for index in group], [prefilled[index] for index in group])
        for index, rows in zip(group, hidden, strict=True):
            states[index] = torch.cat([states[index], rows])
    logits = torch.tensor_split(network.logits(torch.cat(states)), _ends(states))
    return [_sums(item, rows) for item, rows in zip(asked, logits, strict=True)]


def _ends(parts: Sequence[Tensor]) -> list[int]:
    """Where each part but the last ends, when they are laid behind one another."""
    return list(accumulate(len(part) for part in parts[:-1]))


def _read(network: Network, asked: Sequence[Options], prefilled: Sequence[Prefilled]) -> Tensor:
    """Hidden states (B, inputs, H) of the options' tokens, for requests with equal numbers of chunks and of inputs.

    Options are written behind the prompt's last chunk, whose unused slots nobody sees; their positions follow the
    prompt.
    """
    base, count = asked[0].prompt.chunks * CHUNK, asked[0].inputs
    keys, values = network.buffers(len(asked), base + count)
    ids = torch.empty(len(asked), count, dtype=torch.long)
    positions = torch.empty_like(ids)
    unseen = torch.ones(len(asked), count, base + count, dtype=torch.bool)
    for row, (item, done) in enumerate(zip(asked, prefilled, strict=True)):
        prompt = len(item.prompt.ids)
        keys[:, row, :, :prompt], values[:, row, :, :prompt] = done.keys, done.values
        unseen[row, :, :prompt] = False
        start = 0
        for option in item.options:
            length = len(option) - 1
            own, slots = slice(start, start + length), slice(base + start, base + start + length)
            ids[row, own] = torch.tensor(option[:-1], dtype=torch.long)
            positions[row, own] = torch.arange(prompt, prompt + length)
            unseen[row, own, slots] = torch.ones(length, length).triu(1).bool()
            start += length
    block = Block(0, count, base + count, network.bias(unseen))
    span = Span(slice(0, len(asked) * count), count, keys, values, slice(base, base + count), (block,))
    adapters = [item.prompt.adapter for item in asked for _ in range(count)]
    return network.hidden(ids.flatten(), positions.flatten(), [span], adapters).view(len(asked), count, -1)


def _sums(item: Options, logits: Tensor) -> list[float]:
    """Row 0 of `logits` (1 + inputs, V) predicts every option's first token, the rest follow in the options' order."""
    logprobs = torch.log_softmax(logits.float(), -1)
    sums, start = [], 1
    for option in item.options:
        rows = [0, *range(start, start + len(option) - 1)]
        sums.append(float(logprobs[rows, list(option)].sum()))
        start += len(option) - 1
    return sums
