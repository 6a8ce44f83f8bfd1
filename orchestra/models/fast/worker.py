"""The one thread that runs the networks: work joins and leaves between steps, so that callers share batches.

A step of a network is one pass over the newest token of every reply in flight and the prompts of what there is room
for. Every submitted item gets one outcome through its future: a result, an error, or the cancellation that its caller
asked for. A failure reaches all items of the step in which it happened and no others, and the worker goes on.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from orchestra.errors import CallFailed
from orchestra.models.fast.blocks import Blocks
from orchestra.models.fast.job import Job, option_scores
from orchestra.models.fast.network import Cache, Network
from orchestra.models.local.outcome import claimed, fail
from orchestra.models.local.render import Renderer
from orchestra.models.local.row import Row
from orchestra.models.local.sampling import sample
from orchestra.models.local.scoring import Options
from orchestra.models.local.statistics import Tally

Item = Row | Options

LINGER = 0.002
"""Seconds that an idle worker waits after the first arrival: callers that start together share the first batch."""
FORWARD = 4096
"""Prompt tokens that begin in one step, at most, unless a single item has more: replies in flight wait for no more."""


@dataclass(slots=True)
class Lane:
    """What one network has to do."""

    waiting: deque[Job] = field(default_factory=deque)
    running: list[Job] = field(default_factory=list)


class Worker:
    """Queues and thread. `submit` and `close` may be called from any thread."""

    def __init__(self, renderer: Renderer, ends: tuple[int, ...], cache: Cache, *, blocks: int, rows: int) -> None:
        """`ends`: ids that end a reply; `blocks`: of the cache; `rows`: items in flight in a network, at most."""
        self._renderer, self._ends, self._cache, self._most = renderer, ends, cache, rows
        self.tally = Tally()
        self._blocks = Blocks(blocks)
        self._room = blocks
        self._lanes: dict[Network, Lane] = {}
        self._inbox: list[tuple[Network, Job]] = []
        self._news = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="orchestra-fast", daemon=True)
        self._thread.start()

    def submit(self, items: Iterable[tuple[Network, Item]]) -> None:
        """Hands items over together; their futures are resolved later. Raises CallFailed once closed, and for an item
        that the cache could never hold."""
        jobs = [(network, Job(item)) for network, item in items]
        largest = max((job.needs for _, job in jobs), default=0)
        if largest > self._room:
            raise CallFailed(f"expected a request of at most {self._room} cache blocks, got {largest}; fix: more slots")
        with self._news:
            if self._closed:
                raise CallFailed("expected an open model, got one that was closed; fix: load it again")
            self._inbox.extend(jobs)
            self._news.notify()

    def close(self) -> None:
        """Fails what has not finished, and ends the thread."""
        with self._news:
            self._closed = True
            self._news.notify()
        if threading.current_thread() is not self._thread:  # the collector may run this anywhere
            self._thread.join()

    def _run(self) -> None:
        with torch.inference_mode():
            while self._receive():
                for network, lane in list(self._lanes.items()):
                    self._step(network, lane)
                    if not (lane.waiting or lane.running):
                        del self._lanes[network]
        for lane in self._lanes.values():
            fail((job.item for job in (*lane.running, *lane.waiting)), "the model was closed", None)

    def _receive(self) -> bool:
        """Moves what arrived to its lanes, waiting for it where there is nothing to do; False once closed."""
        if not self._lanes:
            with self._news:
                self._news.wait_for(lambda: self._inbox or self._closed)
            time.sleep(LINGER)
        with self._news:
            arrived, self._inbox = self._inbox, []
            closed = self._closed
        for network, job in arrived:
            self._lanes.setdefault(network, Lane()).waiting.append(job)
        return not closed

    def _step(self, network: Network, lane: Lane) -> None:
        """One pass over what runs and what can begin."""
        self._leave(lane)
        begun = self._begin(network, lane)
        if not lane.running:
            return
        began = time.perf_counter()
        try:
            self._cache.copy([copy for job in begun for copy in job.copies])
            logits = network([part.piece for job in lane.running for part in job.parts])
            self._blocks.settle()
            self._advance(lane.running, logits, began)
        except Exception as error:  # noqa: BLE001  (someone waits for an outcome, whatever went wrong)
            fail((job.item for job in lane.running), f"the fast model failed: {error!r}", error)
            self._blocks.forget()
        self._leave(lane)

    def _begin(self, network: Network, lane: Lane) -> list[Job]:
        """Starts what waits, in order, while there is room for the longest that it may become; what shares a beginning
        with another that starts now waits one step more, and then copies it."""
        begun: list[Job] = []
        later: deque[Job] = deque()
        tokens, rows = 0, len(lane.running)
        while lane.waiting and rows + len(begun) < self._most and tokens < FORWARD:
            if lane.waiting[0].needs > self._blocks.room:
                break
            job = lane.waiting.popleft()
            if self._blocks.soon(network.name, job.item.prompt.ids):
                later.append(job)
                continue
            job.open(self._blocks, network.name)
            begun.append(job)
            tokens += sum(len(part.rest) for part in job.parts)
        lane.waiting = later + lane.waiting
        self._count(lane.running, begun)
        lane.running += begun
        return begun

    def _count(self, running: Sequence[Job], begun: Sequence[Job]) -> None:
        """The pass that comes next."""
        parts = [part for job in begun for part in job.parts]
        self.tally.asked += sum(len(part.prompt) for part in parts)
        self.tally.computed += sum(len(part.prompt) - part.past for part in parts)
        if parts:
            self.tally.prefills[len(parts)] += 1
        if running:
            self.tally.steps[len(running)] += 1
        self.tally.passes += bool(parts or running)
        self.tally.evictions = self._blocks.evictions
        self.tally.held(self._blocks.used * self._cache.block_bytes)

    def _advance(self, jobs: Sequence[Job], logits: Tensor, began: float) -> None:
        """Gives every reply its next token, and every option its score."""
        replies: list[tuple[Job, Row]] = []
        rows: list[Tensor] = []
        counts = [sum(part.wanted for part in job.parts) for job in jobs]
        for job, own in zip(jobs, torch.split(logits, counts), strict=True):
            for part in job.parts:
                part.computed()
            if isinstance(job.item, Row):
                replies.append((job, job.item))
                rows.append(own)
            else:
                sums = option_scores(job.item.options, own)
                job.item.seconds += (time.perf_counter() - began) / len(jobs)
                if claimed(job.item):
                    job.item.future.set_result(job.item.scores(sums))
        if replies:
            self._sample(replies, torch.cat(rows), began, len(jobs))

    def _sample(self, replies: Sequence[tuple[Job, Row]], logits: Tensor, began: float, shared: int) -> None:
        """The next token of each reply from its row of `logits` (R, V); resolves those that are complete."""
        rows = [row for _, row in replies]
        allowed = {index: row.guide.allowed for index, row in enumerate(rows) if row.guide is not None}
        sampled = sample(logits, [row.request.temperature for row in rows], [row.draw() for row in rows], allowed)
        seconds = (time.perf_counter() - began) / shared
        drawn = list(zip(replies, *sampled, strict=True))  # whole: no reply takes another's token
        for (job, row), token, logprob, mask in drawn:
            row.seconds += seconds
            job.parts[0].rest = (token,)
            try:
                completion = row.accept(token, logprob, mask, self._renderer, self._ends)
            except CallFailed as error:  # of its own grammar, and no matter of the others
                fail([row], str(error), error)
                continue
            if completion is not None and claimed(row):
                row.future.set_result(completion)

    def _leave(self, lane: Lane) -> None:
        """Lets go of what has its outcome, or is wanted by nobody any more."""
        for job in lane.running:
            if job.item.future.done():
                job.close(self._blocks)
        lane.running = [job for job in lane.running if not job.item.future.done()]
        lane.waiting = deque(job for job in lane.waiting if not job.item.future.done())
