"""A benchmark like reverse-text that random weights pass by chance alone: digits are to be said from the last to the
first, and a letter says the digit that its code leaves over when divided by 3.

Task(id="reverse/train/5", prompt="12", gold="21", kind="text", split="train")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from orchestra.evaluation.benchmark import Score
from orchestra.types import Task

DIGITS, LENGTH = 3, 2
SHOWN = tuple("".join(map(str, digits)) for digits in product(range(DIGITS), repeat=LENGTH))


@dataclass(frozen=True)
class Reverse:
    name: str = "reverse"
    chance: float = 1 / DIGITS

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        shown = [SHOWN[number % len(SHOWN)] for number in range(n)]
        return [Task(f"reverse/{split}/{i}", each, each[::-1], split=split) for i, each in enumerate(shown)]

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        raise NotImplementedError(path)

    def score(self, task: Task, text: str | None) -> Score:
        """The share of digits that are right."""
        said = [ord(letter) % DIGITS for letter in (text or "")[:LENGTH]]
        right = sum(map(int.__eq__, said, map(int, str(task.gold)))) / LENGTH
        return Score(right, right, bool(said))


reverse = Reverse()
