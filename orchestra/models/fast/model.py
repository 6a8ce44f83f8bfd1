"""The fast back-end: an open model in int8 on OpenVINO, on the CPU, batched across callers; approximate.

Prompts are those of the default back-end id for id, draws are named by the same seeds, and log-probabilities are of the
same form; the network is another one, since its weights are rounded to int8, and a completion may depend in its last
bits on what shares its batch. `weights` therefore differs from the default's: whoever trains on these trajectories
recomputes or corrects their log-probabilities. An adapter is merged into the weights before they are rounded, so each
has a network of its own, and only requests with one adapter share a batch.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from orchestra.digest import digest, file_digest
from orchestra.errors import BadData
from orchestra.models import requests as asked
from orchestra.models.fast.blocks import SIZE
from orchestra.models.fast.network import Cache, Engine, Network
from orchestra.models.fast.quantised import RECIPE, ensure
from orchestra.models.fast.shape import read_shape
from orchestra.models.fast.worker import Item, Worker
from orchestra.models.local.grammar import Grammars
from orchestra.models.local.lora import base_digest
from orchestra.models.local.prefill import Prompt
from orchestra.models.local.render import Renderer
from orchestra.models.local.row import Row
from orchestra.models.local.scoring import Options
from orchestra.models.local.statistics import Statistics
from orchestra.models.merging import adapter_digest, adapter_files
from orchestra.models.model import Scores
from orchestra.models.progress import reporting
from orchestra.types import Completion, Request

Stamp: TypeAlias = tuple[tuple[int, int], ...]

LOADED = 8
"""Networks in memory: the base and the adapters that were asked for last."""


class FastModel:
    """A model folder as a Model. `generate` and `score` may be awaited from any number of asyncio loops at once."""

    capabilities = frozenset({"ids", "logprobs", "score", "grammar", "adapters"})

    def __init__(
        self, folder: Path, *, name: str, threads: int | None = None, rows: int = 128, slots: int = 1 << 15
    ) -> None:
        """`threads`: of OpenVINO, None leaves its choice; `rows` and `slots`: at most so many replies in flight a
        network, and tokens that all together may come to hold. Raises BadInput for a model that this back-end does
        not build, and as `quantised.ensure` does."""
        self.name = name
        self.folder = folder
        self._shape = read_shape(folder)
        self._renderer = Renderer(folder)
        self._grammars = Grammars(self._renderer.tokenizer.backend_tokenizer, self._shape.vocabulary, self._shape.ends)
        self._engine = Engine(threads)
        self.base = base_digest(folder)
        """Digest of the base's safetensors alone, which an adapter's manifest names as `base`."""
        self._identity = digest(
            self.base,
            file_digest(folder / "tokenizer.json"),
            str(self._renderer.tokenizer.chat_template),
            f"openvino {self._engine.version}, {RECIPE}, {self._engine.arithmetic}, u8 keys and values",
        )
        self._digests: dict[str, tuple[Stamp, str]] = {}
        self._networks: OrderedDict[str, Network] = OrderedDict()
        self._loading = threading.Lock()
        blocks = -(-max(slots, self._shape.context) // SIZE)
        first = self._load("", "")
        self._cache = Cache(first.compiled, blocks)
        first.join(self._cache)
        self._networks[first.name] = first
        worker = Worker(self._renderer, self._shape.ends, self._cache, blocks=blocks, rows=rows)
        self._worker = worker
        self._finalizer = weakref.finalize(self, worker.close)

    def close(self) -> None:
        """Ends the thread and fails what is in flight; happens by itself when the model is let go, or at exit."""
        self._finalizer()

    def weights(self, adapter: str = "") -> str:
        """Digest of base weights, adapter, tokenizer, chat template, quantisation and engine."""
        return self._named(self._digest(adapter) if adapter else "")

    def statistics(self) -> Statistics:
        """What was computed since the model was loaded, and what was reused; each option of a score is a sequence with
        the prompt before it."""
        return self._worker.tally.taken()

    def count(self, request: Request) -> int:
        """Exact prompt tokens."""
        return len(self._renderer.prompt(request.messages))

    def encode(self, request: Request) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
        """Ids of the prompt, and of each option with the end of turn behind it, as `score` reads them."""
        end = self._shape.ends[:1]
        return self._renderer.prompt(request.messages), tuple(self._renderer.plain(o) + end for o in request.options)

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        """One completion a request, in order. Log-probabilities are log-softmax(logits / temperature) of the int8
        network, at temperature 0 (greedy) log-softmax(logits).

        Raises BadInput for a request that cannot be meant, BadData for an adapter that cannot be merged, CallFailed
        where the context is too short or the network fails; then none of the requests goes on.
        """
        return await self._outcomes(requests, [self._row(request) for request in requests])

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        """For each request, each option's summed log-probability as the whole reply: its tokens and the end of turn, at
        temperature 1. Raises as `generate` does, and BadInput for a request without options."""
        return await self._outcomes(requests, [self._options(request) for request in requests])

    async def _outcomes(self, requests: Sequence[Request], items: Sequence[Item]) -> list[Any]:
        networks = {
            adapter: await asyncio.to_thread(self._network, adapter) for adapter in {r.adapter for r in requests}
        }
        self._worker.submit((networks[request.adapter], item) for request, item in zip(requests, items, strict=True))
        try:
            return await asyncio.gather(*(asyncio.wrap_future(item.future) for item in items))
        finally:
            for item in items:
                item.future.cancel()  # no effect on what is done; the rest is wanted by nobody any more

    def _row(self, request: Request) -> Row:
        asked.check_generate(request)
        guide = self._grammars(request.grammar) if request.grammar else None
        row = Row(request, Prompt(self._renderer.prompt(request.messages), None), guide)
        asked.check_fits(self.name, self._shape.context, len(row.prompt.ids), row.longest, "max_tokens")
        return row

    def _options(self, request: Request) -> Options:
        asked.check_score(request)
        prompt, options = self.encode(request)
        longest = len(prompt) + max(map(len, options))
        asked.check_fits(self.name, self._shape.context, len(prompt), longest, "the longest option")
        return Options(Prompt(prompt, None), options)

    def _network(self, adapter: str) -> Network:
        """The network of an adapter's present files, made if it is not in memory."""
        name = self._digest(adapter) if adapter else ""
        with self._loading:
            network = self._networks.get(self._named(name))
            if network is None:
                network = self._load(adapter, name)
                network.join(self._cache)
                self._networks[network.name] = network
            self._networks.move_to_end(network.name)
            while len(self._networks) > LOADED:
                self._networks.popitem(last=False)
            return network

    def _digest(self, adapter: str) -> str:
        """Of the adapter's files, read again when they have changed."""
        try:
            stamp = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in adapter_files(Path(adapter)))
        except OSError as error:
            raise BadData(f"expected a PEFT adapter folder, got {error!r} at {adapter!r}") from error
        held = self._digests.get(adapter)
        if held is None or held[0] != stamp:
            held = self._digests[adapter] = (stamp, adapter_digest(Path(adapter)))
        return held[1]

    def _load(self, adapter: str, name: str) -> Network:
        with reporting(None) as report:
            weights = ensure(self.folder, self._shape, self.base, Path(adapter) if adapter else None, name, report)
        return Network(self._named(name), self._engine, self._shape, weights)

    def _named(self, adapter: str) -> str:
        """Digest of the weights with the adapter of this digest, "" for none."""
        return digest(self._identity, adapter) if adapter else self._identity
