"""A benchmark that random weights pass about every second time: a reply is right if its first letter has an even code.

Task(id="letters/train/3", prompt="Say a letter, 3.", gold="b", kind="text", split="train")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestra.evaluation.benchmark import Score
from orchestra.types import Task

FIRST = {"train": 0, "dev": 100, "test": 200}


@dataclass(frozen=True)
class Letters:
    name: str = "letters"
    chance: float = 0.5

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        numbers = range(FIRST[split], FIRST[split] + n)
        return [Task(f"letters/{split}/{i}", f"Say a letter, {i}.", "bdfh"[i % 4], split=split) for i in numbers]

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        raise NotImplementedError(path)

    def score(self, task: Task, text: str | None) -> Score:
        said = (text or "").strip()
        right = float(bool(said) and ord(said[0]) % 2 == 0)
        return Score(right, right, bool(said))


letters = Letters()
