"""One team on one task: what `run` returns, the store keeps, and evaluation, credit and training read. Never edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestra.types import EMPTY, Completion, FrozenMap, Key, Message, Request, Task, Usage, quick

SCHEMA = 1
"""Version of the saved form of everything in this file; tests keep a golden file of each version."""


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """One model call or scored choice: what it saw, what it could have said, what it said."""

    key: Key
    saw: tuple[str, ...]
    """The messages in its view; which of its tree only the leaves know."""
    agent: str
    role: str
    path: str
    """Readable address: the nested teams and the node, joined by '/'."""
    round: int
    index: int
    """Which call of its activation, from 0."""
    policy: str
    """name@version"""
    weights: str
    """Digest of the weights, adapter, tokenizer and template that spoke."""
    request: Request
    completion: Completion | None
    """None: it failed."""
    error: str | None = None
    """Failed or unparseable is data, never a silent zero."""


@quick
@dataclass(frozen=True, slots=True)
class Leaf:
    """One end of a tree; a run without branches has exactly one."""

    taken: tuple[Key, ...]
    """Its decisions in canonical order; parallel agents' decisions lie on many paths."""
    answer: str | None
    stopped_by: str
    usage: Usage
    rounds: int = 0
    content: str = ""
    error: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Event:
    """Anything else that happened, in canonical order."""

    kind: Literal["tool", "world", "selection", "stop", "budget", "cancel", "clock", "question", "failure"]
    path: str
    round: int
    text: str = ""
    data: FrozenMap[str, str] = EMPTY

    @property
    def waits(self) -> bool:
        """Whether it is a question that has no answer yet."""
        return self.kind == "question" and "answer" not in self.data


@quick
@dataclass(frozen=True, slots=True)
class Trajectory:
    """One team on one task; a tree when branched."""

    id: str
    task: Task
    seed: int
    team: str
    """Digest of the saved team."""
    decisions: tuple[Decision, ...]
    """Canonical order; every draw of a tree, each once."""
    messages: tuple[Message, ...]
    leaves: tuple[Leaf, ...]
    events: tuple[Event, ...] = ()
    waste: Usage = Usage()
    """Of squashed calls."""

    def __repr__(self) -> str:
        # Short, since asyncio writes the result of every finished task out when its loop ends.
        counts = f"{len(self.decisions)} decisions, {len(self.messages)} messages, {len(self.leaves)} leaves"
        return f"<Trajectory {self.id} of task {self.task.id!r}: {counts}>"

    def siblings(self, state: str) -> Sequence[Decision]:
        """The draws from one state, by draw."""
        return sorted((d for d in self.decisions if d.key.state == state), key=lambda d: d.key.draw)

    def path(self, leaf: Leaf) -> Sequence[Decision]:
        """The decisions of a leaf in canonical order; the tree is the trie of the leaves' `taken`."""
        known = {d.key: d for d in self.decisions}
        return [known[key] for key in leaf.taken]

    @property
    def questions(self) -> Sequence[Event]:
        """Questions that wait for their answer; give it with `orchestra.engine.answer` and run again."""
        return [event for event in self.events if event.waits]

    @property
    def leaf(self) -> Leaf:
        """The only leaf; raises ValueError on a tree."""
        if len(self.leaves) != 1:
            raise ValueError(f"trajectory {self.id} has {len(self.leaves)} leaves; ask one of `leaves`")
        return self.leaves[0]

    @property
    def answer(self) -> str | None:
        return self.leaf.answer

    @property
    def stopped_by(self) -> str:
        return self.leaf.stopped_by

    @property
    def usage(self) -> Usage:
        return self.leaf.usage

    @property
    def error(self) -> str | None:
        return self.leaf.error
