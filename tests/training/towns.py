"""A benchmark of two letters that two seats know, so short that random weights soon learn to ask for them.

Task(id="towns/train/1", prompt="Where?", gold="BC", kind="text", private={"a": "B", "b": "C"}, split="train")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestra.answers.reply import answer_line
from orchestra.evaluation.benchmark import Score
from orchestra.types import FrozenMap, Task

FIRST = {"train": 0, "dev": 1000, "test": 2000}


@dataclass(frozen=True)
class Towns:
    name: str = "towns"
    chance: float = 0.25

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        return [self._task(split, FIRST[split] + i) for i in range(n)]

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        raise NotImplementedError(path)

    def score(self, task: Task, text: str | None) -> Score:
        said = answer_line(text or "")
        right = float(said == task.gold)
        return Score(right, right, said is not None)

    def _task(self, split: str, i: int) -> Task:
        first, second = "AB"[i % 2], "CD"[i // 2 % 2]
        private = FrozenMap({"a": first, "b": second})
        return Task(f"towns/{split}/{i}", f"Where is {i}?", first + second, private=private, split=split)


towns = Towns()
