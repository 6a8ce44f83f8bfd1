"""transformers' `generate` in bf16: one call a decision (`sequential`), left-padded batches (`static`), or such batches
through torch.compile with a cache of fixed size (`compiled`).

Replies never end early, so that a batch does not wait for its longest row, and batches hold prompts of like lengths:
the peer is at its best. Adapters are PEFT's; a batch has one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from scripts.bench.peers.answer import Done, Order, Setup, picked

ROWS = {"sequential": 1, "static": 64, "compiled": 64}
"""Of a batch, at most."""
Asked = tuple[tuple[int, ...], int]


class Generate:
    """A folder's model and the adapters of a setup."""

    def __init__(self, setup: Setup) -> None:
        torch.set_num_threads(setup.threads)
        self.setup, self.rows = setup, ROWS[setup.mode]
        model = AutoModelForCausalLM.from_pretrained(setup.model, dtype=torch.bfloat16)
        model.eval()  # type: ignore[no-untyped-call]
        self.model: Any = model
        for number, adapter in enumerate(setup.adapters):
            if adapter and isinstance(self.model, PeftModel):
                self.model.load_adapter(adapter, str(number))
            elif adapter:
                self.model = PeftModel.from_pretrained(model, adapter, str(number), torch_dtype=torch.bfloat16)
        if setup.mode == "compiled":
            model.forward = torch.compile(model.forward, dynamic=True)
        self.cache = {"cache_implementation": "static"} if setup.mode == "compiled" else {}

    def __call__(self, order: Order) -> Done:
        asked = picked(order.asked, order.share, order.turn)
        began = time.perf_counter()
        batches = list(_batches(asked, self.rows))
        made = sum(self._batch(batch) for batch in batches)
        prompts = sum(len(ids) for ids, _ in asked)
        passes = len(batches) * self.setup.tokens
        return Done(time.perf_counter() - began, made, prompts, prompts, passes, len(asked))

    def _batch(self, batch: Sequence[Asked]) -> int:
        """Answers prompts of one adapter; returns how many tokens it made."""
        longest = max(len(ids) for ids, _ in batch)
        padding = [longest - len(ids) for ids, _ in batch]
        if isinstance(self.model, PeftModel):
            self.model.set_adapter(str(batch[0][1]))
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=torch.tensor([[0] * pad + list(ids) for pad, (ids, _) in zip(padding, batch, strict=True)]),
                attention_mask=torch.tensor([[0] * pad + [1] * (longest - pad) for pad in padding]),
                do_sample=True,
                top_k=0,
                pad_token_id=0,
                min_new_tokens=self.setup.tokens,
                max_new_tokens=self.setup.tokens,
                **self.cache,
            )
        return int(out[:, longest:].numel())


def _batches(asked: Sequence[Asked], rows: int) -> Iterator[list[Asked]]:
    """Prompts of one adapter and of like lengths together."""
    for _, group in groupby(sorted(asked, key=lambda one: (one[1], len(one[0]))), lambda one: one[1]):
        whole = list(group)
        for first in range(0, len(whole), rows):
            yield whole[first : first + rows]


def load(setup: Setup) -> Generate:
    return Generate(setup)
