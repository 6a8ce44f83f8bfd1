"""Log-probabilities of both replies of each pair under a policy that stands still, computed once and kept as numbers.

Sums over the sampled tokens of a reply, in fp32 whatever the weights are; prompt and forced tokens never count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from accelerate import PartialState  # type: ignore[import-untyped]
from accelerate.utils import gather_object  # type: ignore[import-untyped]
from peft import PeftModel
from torch import Tensor

from orchestra.learning.losses import row_sums, token_logprobs
from orchestra.learning.pairs import Pair
from orchestra.learning.trainable import Trainable


class LogProbs(NamedTuple):
    """Of a pair's replies, each the sum over its sampled tokens."""

    chosen: float
    rejected: float


class _Reply(NamedTuple):
    place: int
    """2 x place of the pair, and 1 more for the rejected reply."""
    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    mask: tuple[int, ...]

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.ids)


def logprobs(model: Trainable, pairs: Sequence[Pair], max_tokens: int) -> list[LogProbs]:
    """Of every pair, in order; each process scores its share, and all get all of them.

    No more than `max_tokens` stand in one forward pass, padding included, unless one reply alone is longer.
    """
    state = PartialState()
    shares = gather_object([_own(model, pairs[state.process_index :: state.num_processes], max_tokens)])
    return [shares[at % state.num_processes][at // state.num_processes] for at in range(len(pairs))]


def _own(model: Trainable, pairs: Sequence[Pair], max_tokens: int) -> list[LogProbs]:
    sums = [0.0] * (2 * len(pairs))
    replies = [
        _Reply(2 * at + side, pair.prompt_ids, ids, mask)
        for at, pair in enumerate(pairs)
        for side, ids, mask in ((0, pair.chosen_ids, pair.chosen_mask), (1, pair.rejected_ids, pair.rejected_mask))
    ]
    training = model.training
    model.eval()
    with torch.no_grad():
        for batch in _batches(replies, max_tokens):
            for reply, value in zip(batch, _score(model, batch).tolist(), strict=True):
                sums[reply.place] = value
    model.train(training)
    return [LogProbs(*sums[at : at + 2]) for at in range(0, len(sums), 2)]


def _batches(replies: Sequence[_Reply], max_tokens: int) -> Iterator[list[_Reply]]:
    """Longest first, so that a batch is as wide as its first reply."""
    batch: list[_Reply] = []
    for reply in sorted(replies, key=lambda reply: -reply.length):
        if batch and (len(batch) + 1) * batch[0].length > max_tokens:
            yield batch
            batch = []
        batch.append(reply)
    if batch:
        yield batch


def _score(model: Trainable, batch: Sequence[_Reply]) -> Tensor:
    """(B,), fp32. The head sees the positions before sampled tokens alone."""
    width = batch[0].length
    ids = torch.tensor([[*r.prompt, *r.ids, *[0] * (width - r.length)] for r in batch], device=model.device)
    read = torch.tensor([[1] * r.length + [0] * (width - r.length) for r in batch], device=model.device)
    wanted = torch.tensor(
        [[*[0] * len(r.prompt), *r.mask, *[0] * (width - r.length)] for r in batch], device=ids.device
    )
    rows, at = wanted[:, 1:].nonzero(as_tuple=True)
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    hidden = base.get_decoder()(input_ids=ids, attention_mask=read, use_cache=False).last_hidden_state
    found = token_logprobs(hidden[rows, at], base.get_output_embeddings(), ids[rows, at + 1])
    return row_sums(found, rows, len(batch))
