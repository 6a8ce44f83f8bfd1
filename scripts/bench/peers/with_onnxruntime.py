"""ONNX Runtime GenAI in int8, in left-padded batches of 32 whose replies never end early."""

from __future__ import annotations

import time
from collections.abc import Sequence

import onnxruntime_genai as og  # type: ignore[import-not-found]

from scripts.bench.peers.answer import Done, Order, Setup, picked

ROWS = 32
"""Of a batch: more are refused."""


class Onnx:
    """A folder that the builder wrote; without adapters."""

    def __init__(self, setup: Setup) -> None:
        config = og.Config(setup.model)
        config.overlay(
            f'{{"model": {{"decoder": {{"session_options": {{"intra_op_num_threads": {setup.threads}}}}}}}}}'
        )
        self.model, self.setup = og.Model(config), setup

    def __call__(self, order: Order) -> Done:
        asked = sorted((ids for ids, _ in picked(order.asked, order.share, order.turn)), key=len)
        began = time.perf_counter()
        batches = [asked[first : first + ROWS] for first in range(0, len(asked), ROWS)]
        made = sum(self._batch(batch) for batch in batches)
        prompts = sum(map(len, asked))
        return Done(time.perf_counter() - began, made, prompts, prompts, len(batches) * self.setup.tokens, len(asked))

    def _batch(self, batch: Sequence[Sequence[int]]) -> int:
        longest = max(map(len, batch))
        end = longest + self.setup.tokens
        params = og.GeneratorParams(self.model)
        params.set_search_options(
            do_sample=True, top_k=0, batch_size=len(batch), min_length=end, max_length=end, temperature=1.0
        )
        generator = og.Generator(self.model, params)
        generator.append_tokens([[PADDING] * (longest - len(ids)) + list(ids) for ids in batch])
        steps = 0
        while not generator.is_done():
            generator.generate_next_token()
            steps += 1
        return steps * len(batch)


PADDING = 2
"""SmolLM2's own; the runtime leaves it out of attention on the left."""


def load(setup: Setup) -> Onnx:
    return Onnx(setup)
