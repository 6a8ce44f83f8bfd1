"""Benchmarks that are a published file and nothing else: what they ask cannot be generated, so they have no sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Score, grade
from orchestra.evaluation.sources.generate import loaded
from orchestra.types import Task


@dataclass(frozen=True, slots=True)
class Published:
    """A loader and a score."""

    name: str
    chance: float
    read: Callable[[Path], Iterable[Task]]
    """The tasks of a file in the official format; ids as in the file, no split."""
    rule: Callable[[Task, str | None], Score] = grade

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        """Raises BadInput, always."""
        raise BadInput(f"{self.name} has no sample of its own; fix: --data FILE, in its official format")

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        return loaded(self.name, self.read, path, split)

    def score(self, task: Task, text: str | None) -> Score:
        return self.rule(task, text)
