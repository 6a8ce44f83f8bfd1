"""The default back-end: an open model in this process, on the CPU, batched across callers and repeatable to the bit.

A completion depends on its request and the weights alone, whatever else is in flight: rows start at slot 0 of buffers
whose length their own position sets, products never run with fewer than two rows, prompts are computed in canonical
chunks, and a token's draw is named by its request's seed and its place in the reply. Promised (`exact`) for bfloat16,
where the matrix library passed the check made at load; float32 agrees to about 1e-6.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch

from orchestra.digest import digest, file_digest
from orchestra.errors import BadData
from orchestra.models.local.grammar import Grammars
from orchestra.models.local.lora import CONFIG, WEIGHTS, Adapter, base_digest, read_adapter
from orchestra.models.local.network import Network
from orchestra.models.local.prefill import Prompt
from orchestra.models.local.render import Renderer
from orchestra.models.local.row import Row
from orchestra.models.local.scoring import Options
from orchestra.models.local.statistics import Statistics
from orchestra.models.local.worker import Worker
from orchestra.models.model import Scores
from orchestra.models.requests import check_fits, check_generate, check_score
from orchestra.types import Completion, Request

Stamp: TypeAlias = tuple[tuple[int, int], ...]

CACHE = 256 << 20
"""Bytes of keys and values kept of prompt prefixes."""


class LocalModel:
    """A model folder as a Model. `generate` and `score` may be awaited from any number of asyncio loops at once."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        dtype: torch.dtype = torch.bfloat16,
        threads: int | None = None,
        rows: int = 128,
        slots: int = 1 << 17,
    ) -> None:
        """`threads`: of torch, None leaves its setting; `rows` and `slots`: at most so many replies in flight, and
        tokens that they may come to hold together (a single longer one runs alone)."""
        self.name = name
        self.folder = folder
        self._network = Network(folder, dtype)
        self._renderer = Renderer(folder)
        extra = {"exact"} if self._network.exact else set()
        self.capabilities = frozenset({"ids", "logprobs", "score", "grammar", "adapters"} | extra)
        self._grammars = Grammars(
            self._renderer.tokenizer.backend_tokenizer, self._network.vocabulary, self._network.ends
        )
        self._base = self._identity = ""
        self._adapters: dict[str, tuple[Stamp, Adapter]] = {}
        worker = Worker(self._network, self._renderer, rows=rows, slots=slots, keep=CACHE, threads=threads)
        self._worker = worker
        self._finalizer = weakref.finalize(self, worker.close)

    def close(self) -> None:
        """Ends the thread and fails what is in flight; happens by itself when the model is let go, or at exit."""
        self._finalizer()

    def weights(self, adapter: str = "") -> str:
        """Digest of base weights, tokenizer, chat template, number format and adapter; a changed adapter file changes
        it."""
        if not self._identity:
            template = str(self._renderer.tokenizer.chat_template)
            tokenizer = file_digest(self.folder / "tokenizer.json")
            self._identity = digest(self.base, tokenizer, template, str(self._network.dtype))
        return digest(self._identity, self._adapter(adapter).digest) if adapter else self._identity

    @property
    def base(self) -> str:
        """Digest of the base's safetensors alone, which an adapter's manifest names as `base`."""
        if not self._base:
            self._base = base_digest(self.folder)
        return self._base

    def drop(self, adapter: str) -> None:
        """Lets go of an adapter folder that no request will name again, such as an older version of a policy."""
        self._adapters.pop(adapter, None)

    def statistics(self) -> Statistics:
        """What was computed since the model was loaded, and what was reused."""
        return self._worker.tally.taken()

    def count(self, request: Request) -> int:
        """Exact prompt tokens."""
        return len(self._renderer.prompt(request.messages))

    def encode(self, request: Request) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
        """Ids of the prompt, and of each option with the end of turn behind it, as `score` reads them."""
        end = self._network.ends[:1]
        return self._renderer.prompt(request.messages), tuple(self._renderer.plain(o) + end for o in request.options)

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        """One completion a request, in order. Log-probabilities are log-softmax(logits / temperature), at temperature 0
        (greedy) log-softmax(logits).

        Raises BadInput for a request that cannot be meant, BadData for its adapter, CallFailed where the context is too
        short or the network fails; then none of the requests goes on.
        """
        return await self._outcomes([self._row(request) for request in requests])

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        """For each request, each option's summed log-probability as the whole reply: its tokens and the end of turn, at
        temperature 1. Raises as `generate` does, and BadInput for a request without options."""
        return await self._outcomes([self._options(request) for request in requests])

    async def _outcomes(self, items: Sequence[Row | Options]) -> list[Any]:
        self._worker.submit(items)
        try:
            return await asyncio.gather(*(asyncio.wrap_future(item.future) for item in items))
        finally:
            for item in items:
                item.future.cancel()  # no effect on what is done; the rest is wanted by nobody any more

    def _row(self, request: Request) -> Row:
        check_generate(request)
        guide = self._grammars(request.grammar) if request.grammar else None
        row = Row(request, self._prompt(request), guide)
        check_fits(self.name, self._network.context, len(row.prompt.ids), row.longest, "max_tokens")
        return row

    def _options(self, request: Request) -> Options:
        check_score(request)
        _, options = self.encode(request)
        item = Options(self._prompt(request), options)
        length = len(item.prompt.ids)
        check_fits(self.name, self._network.context, length, length + max(map(len, options)), "the longest option")
        return item

    def _prompt(self, request: Request) -> Prompt:
        adapter = self._adapter(request.adapter) if request.adapter else None
        return Prompt(self._renderer.prompt(request.messages), adapter)

    def _adapter(self, path: str) -> Adapter:
        """The adapter of a folder, read again when its files have changed."""
        folder = Path(path)
        files = [folder / CONFIG, folder / WEIGHTS]
        try:
            stamp = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files)
        except OSError as error:
            raise BadData(f"expected a PEFT adapter folder, got {error!r} at {path!r}") from error
        held = self._adapters.get(path)
        if held is None or held[0] != stamp:
            name = digest(*(file_digest(file) for file in files))
            adapter = read_adapter(folder, name, self._network.places, dtype=self._network.dtype, base=self.base)
            held = self._adapters[path] = (stamp, adapter)
        return held[1]
