"""Variants of one recorded run, by re-execution: a variant pays only for states that neither the run nor a variant
before it has seen.

Each variant writes to a journal of its own, laid over what is known. Agents whose causal past is the same find their
answers there; those that hear something else have other states, and are asked. The run itself is never written to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from orchestra.digest import canonical, digest
from orchestra.engine import Actor, Budget, run
from orchestra.engine.door import form_of
from orchestra.engine.run import run_id, team_digest
from orchestra.errors import BadInput
from orchestra.trajectory.journal import Entry, Failure, Fork, Journal, MemoryJournal
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import EMPTY, Completion, Key, Usage

Keep = Callable[[str], Journal]
"""The journal that a variant writes to, by name: `Run.journal`, for variants that are paid once and for all."""


class Variant(NamedTuple):
    """What came of one variant."""

    trajectory: Trajectory
    calls: int
    """Model calls that were made for it; those found in journals are not among them."""
    usage: Usage
    """Of these calls."""


class Replay:
    """One finished run without branches, to be run again otherwise; variants one after another.

    `recorded` is its journal (`Run.recorded(trajectory.id)`); without one it is made of the trajectory's decisions, and
    effects other than model calls are performed again. `budget` is what the run had.
    """

    def __init__(
        self,
        trajectory: Trajectory,
        recorded: Journal | None = None,
        *,
        keep: Keep | None = None,
        budget: Budget | None = None,
    ) -> None:
        if len(trajectory.leaves) != 1:
            raise BadInput(f"trajectory {trajectory.id} has {len(trajectory.leaves)} leaves; expected one run")
        self.trajectory = trajectory
        self._budget = budget
        self._keep = keep or (lambda name: MemoryJournal())
        self._found = MemoryJournal()  # by variants
        self._known = Fork(recorded or recorded_in(trajectory), self._found)

    def check(self, actor: Actor) -> None:
        """Raises BadInput if another team made the run."""
        if self.trajectory.team != team_digest(actor):
            raise BadInput(
                f"trajectory {self.trajectory.id} was made by the team {self.trajectory.team[:8]}, not by "
                f"{team_digest(actor)[:8]}; fix: the team that the run was made with"
            )

    async def run(self, actor: Actor, said: Mapping[Key, str] = EMPTY) -> Variant:
        """Runs an actor on the same task and seed; of the team itself all is known.

        `said` puts words in the place of recorded replies; what depends on them is asked anew. A reply that is put in
        other words is a draw named by these words, so equal replacements share all that follows from them.
        """
        task, seed = self.trajectory.task, self.trajectory.seed
        start = {key.state: _draw(text) for key, text in said.items()}
        name = run_id(actor, task, seed)
        own = _Noted(self._keep(digest(name, canonical(start))[:16] if start else name))
        for key, text in said.items():
            own.below.put(Key(key.state, start[key.state]), self._worded(key, text))
        trajectory = await run(actor, task, seed=seed, budget=self._budget, journal=Fork(self._known, own), start=start)
        for key, entry in own.touched.items():
            self._found.put(key, entry)
        spent = [entry.outcome.usage for entry in own.paid if isinstance(entry.outcome, Completion)]
        failed = sum(isinstance(entry.outcome, Failure) for entry in own.paid)
        return Variant(trajectory, len(spent) + failed, sum(spent, Usage(calls=failed)))

    def _worded(self, key: Key, text: str) -> Entry:
        entry = self._known.get(key)
        if entry is None or not isinstance(entry.outcome, Completion):
            raise BadInput(f"run {self.trajectory.id} has no reply under {key}; fix: a key of one of its decisions")
        return Entry(entry.digest, entry.effect, worded(entry.outcome, text))


def worded(completion: Completion, text: str) -> Completion:
    """A reply in other words: without ids, so that nothing is trained on them as sampled."""
    return replace(completion, text=text, output_ids=None, logprobs=None, mask=None, scores=(), raw=())


def recorded_in(trajectory: Trajectory) -> MemoryJournal:
    """A journal of the model calls of a trajectory."""
    journal = MemoryJournal()
    for made in trajectory.decisions:
        journal.put(made.key, Entry(*form_of(made.request, made.weights), _outcome(made)))
    return journal


class _Noted:
    """A journal that notes what a run asked of it and what the run put there."""

    def __init__(self, below: Journal) -> None:
        self.below = below
        self.touched: dict[Key, Entry] = {}
        self.paid: list[Entry] = []

    def get(self, key: Key) -> Entry | None:
        entry = self.below.get(key)
        if entry is not None:
            self.touched[key] = entry
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        self.below.put(key, entry)
        self.touched[key] = entry
        self.paid.append(entry)

    async def flushed(self) -> None:
        await self.below.flushed()


def _outcome(made: Decision) -> Any:
    return Failure(made.error or "failed") if made.completion is None else made.completion


def _draw(text: str) -> int:
    """52 bits of the words' name: no draw of a model has such a number."""
    return 1 + int(digest("said", text)[:13], 16)
