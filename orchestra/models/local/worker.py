"""The one thread that runs the network: it admits waiting work between decode steps, so that callers share batches.

Every submitted item gets one outcome through its future: a result, an error, or the cancellation that its caller asked
for. A failure reaches all items of the piece of work in which it happened and no others, and the worker goes on.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from orchestra.errors import CallFailed
from orchestra.models.local.network import Network
from orchestra.models.local.outcome import claimed, fail
from orchestra.models.local.pools import Pools, bucket
from orchestra.models.local.prefill import Prefill, Prefilled, Prompt
from orchestra.models.local.render import Renderer
from orchestra.models.local.row import Row
from orchestra.models.local.sampling import sample
from orchestra.models.local.scoring import Options, score
from orchestra.models.local.statistics import Tally

Item = TypeVar("Item", Row, Options)

LINGER = 0.002
"""Seconds that an idle worker waits after the first arrival: callers that start together share the first batch."""
SCORED = 8192
"""Slots of the requests that are scored between two decode steps, so that rows in flight go on."""


class Worker:
    """Queues and thread. `submit` and `close` may be called from any thread."""

    def __init__(
        self, network: Network, renderer: Renderer, *, rows: int, slots: int, keep: int, threads: int | None
    ) -> None:
        self._network, self._renderer, self._threads = network, renderer, threads
        self._most_rows, self._most_slots = rows, slots
        self.tally = Tally()
        self._prefill = Prefill(network, keep=keep, tally=self.tally)
        self._pools = Pools(network)
        self._generating: deque[Row] = deque()
        self._scoring: deque[Options] = deque()
        self._inbox: list[Row | Options] = []
        self._news = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="orchestra-local", daemon=True)
        self._thread.start()

    def submit(self, items: Iterable[Row | Options]) -> None:
        """Hands items over together; their futures are resolved later. Raises CallFailed once closed."""
        with self._news:
            if self._closed:
                raise CallFailed("expected an open model, got one that was closed; fix: load it again")
            self._inbox.extend(items)
            self._news.notify()

    def close(self) -> None:
        """Fails what has not finished, and ends the thread."""
        with self._news:
            self._closed = True
            self._news.notify()
        if threading.current_thread() is not self._thread:  # the collector may run this anywhere
            self._thread.join()

    def _run(self) -> None:
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            while self._receive():
                self._drop_cancelled()
                self._guarded(self._admit)
                self._guarded(self._score)
                self._guarded(self._step)
        fail([*self._pools.rows, *self._generating, *self._scoring], "the model was closed", None)

    def _receive(self) -> bool:
        """Moves what arrived to the queues, waiting for it where there is nothing to do; False once closed."""
        idle = not (len(self._pools) or self._generating or self._scoring)
        if idle:
            with self._news:
                self._news.wait_for(lambda: self._inbox or self._closed)
            time.sleep(LINGER)
        with self._news:
            arrived, self._inbox = self._inbox, []
            self._generating.extend(item for item in arrived if isinstance(item, Row))
            self._scoring.extend(item for item in arrived if isinstance(item, Options))
            return not self._closed

    def _drop_cancelled(self) -> None:
        self._pools.remove([row for row in self._pools.rows if row.future.cancelled()])
        self._generating = deque(row for row in self._generating if not row.future.cancelled())
        self._scoring = deque(item for item in self._scoring if not item.future.cancelled())

    def _guarded(self, work: Callable[[list[Any]], None]) -> None:
        """Does one piece of work, which first lists the items that it is for: its failure is theirs."""
        items: list[Any] = []
        try:
            work(items)
        except Exception as error:  # noqa: BLE001  (someone waits for an outcome, whatever went wrong)
            self._pools.remove([item for item in items if isinstance(item, Row)])
            fail(items, f"the local model failed: {error!r}", error)

    def _admit(self, rows: list[Row]) -> None:
        """Prefills waiting rows while there is room for the longest that they may become; samples their first
        tokens."""
        taken, slots = len(self._pools), sum(bucket(row.longest) for row in self._pools.rows)
        while self._generating and taken + len(rows) < self._most_rows:
            slots += bucket(self._generating[0].longest)
            if slots > self._most_slots and taken + len(rows):
                break
            rows.append(self._generating.popleft())
        for group, prefilled in self._prefilled(rows):
            self._advance(group, torch.stack([done.hidden for done in prefilled]))
            for row, done in zip(group, prefilled, strict=True):
                if not row.future.done():
                    self._pools.add(row, done)

    def _score(self, items: list[Options]) -> None:
        """Scores waiting requests, up to SCORED slots of them but at least one."""
        while self._scoring and (not items or sum(item.longest for item in items) < SCORED):
            items.append(self._scoring.popleft())
        ready = [pair for group, prefilled in self._prefilled(items) for pair in zip(group, prefilled, strict=True)]
        if not ready:
            return
        began = time.perf_counter()
        sums = score(self._network, [item for item, _ in ready], [done for _, done in ready])
        _share(items, began)
        for (item, _), logprobs in zip(ready, sums, strict=True):
            if claimed(item):
                item.future.set_result(item.scores(logprobs))

    def _step(self, rows: list[Row]) -> None:
        """One token for every row in flight."""
        if not len(self._pools):
            return
        rows.extend(self._pools.rows)
        began = time.perf_counter()
        batch, spans = self._pools.batch()
        self.tally.passes += 1
        self.tally.steps[len(batch)] += 1
        self.tally.held(self._pools.held + self._prefill.held)
        ids = torch.tensor([row.output[-1] for row in batch])
        positions = torch.tensor([row.slot for row in batch])
        hidden = self._network.hidden(ids, positions, spans, [row.prompt.adapter for row in batch])
        _share(batch, began)
        self._advance(batch, hidden)
        self._pools.remove([row for row in batch if row.future.done()])

    def _prefilled(self, items: Sequence[Item]) -> Iterator[tuple[list[Item], list[Prefilled]]]:
        """The items, grouped as their prompts become ready; equal prompts are computed once."""
        askers: dict[Prompt, list[Item]] = defaultdict(list)
        for item in items:
            askers[item.prompt].append(item)
        self.tally.asked += sum(len(item.prompt.ids) for item in items)
        began = time.perf_counter()
        for ready in self._prefill(list(askers)):
            group = [item for prompt in ready for item in askers[prompt]]
            _share(group, began)
            yield group, [ready[item.prompt] for item in group]
            began = time.perf_counter()

    def _advance(self, rows: Sequence[Row], hidden: Tensor) -> None:
        """Samples the next token of each row from its hidden state, and resolves the rows that are complete."""
        began = time.perf_counter()
        temperatures = [row.request.temperature for row in rows]
        allowed = {index: row.guide.allowed for index, row in enumerate(rows) if row.guide is not None}
        sampled = sample(self._network.logits(hidden), temperatures, [row.draw() for row in rows], allowed)
        _share(rows, began)
        for row, token, logprob, mask in list(zip(rows, *sampled, strict=True)):  # whole: no row takes another's token
            try:
                completion = row.accept(token, logprob, mask, self._renderer, self._network.ends)
            except CallFailed as error:  # of its own grammar, and no matter of the others
                fail([row], str(error), error)
                continue
            if completion is not None and claimed(row):
                row.future.set_result(completion)


def _share(items: Sequence[Row | Options], began: float) -> None:
    """Adds the time since `began` to the items, in equal parts."""
    part = (time.perf_counter() - began) / max(1, len(items))
    for item in items:
        item.seconds += part
