"""What a benchmark is: tasks with golds, a score for a reply, and a chance level to beat.

Invariants: a reply without an answer is wrong and counted as unparsed, never skipped; a failed run (None) is wrong; a
task without a gold is not scored (None, never 0.0). Strict and flexible scores are always reported together, and what
the strict rule finds right the flexible one does too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from orchestra.answers import equal, equal_strict, extract, extract_strict
from orchestra.digest import digest
from orchestra.errors import BadData
from orchestra.types import Task

_WORD: Final = re.compile(r"\w+|[-+*/^%=<>\u00d7\u00f7\u2212]")


class Score(NamedTuple):
    """What one reply is worth, from 0.0 to 1.0; None = not scored."""

    strict: float | None
    flexible: float | None
    parsed: bool
    """Whether the flexible rule found any answer."""


class Benchmark(Protocol):
    """Tasks and their scoring. `orchestra.contracts.check_benchmark` tests what is promised here."""

    @property
    def name(self) -> str: ...

    @property
    def chance(self) -> float:
        """Accuracy of the best guess that does not work the task out, over all levels the highest; in [0, 1]."""
        ...

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        """n different tasks of our own generator, a function of the arguments alone; splits share no content.

        `level` is the difficulty, 0 (easiest) to 4. Raises BadInput where fewer than n exist, saying how many do.
        """
        ...

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        """The tasks of a file in the official format, in its order; BadData names file and line."""
        ...

    def score(self, task: Task, text: str | None) -> Score:
        """Scores the whole text of a final reply; None: the run failed. Never raises, whatever the text."""
        ...


def grade(task: Task, text: str | None) -> Score:
    """The common score: right or wrong by the kind of the task's answer; what most benchmarks take for `score`.

    >>> grade(Task("t", "What is 34 + 57?", gold="91", kind="number"), "It is 91.")
    Score(strict=0.0, flexible=1.0, parsed=True)
    """
    found = None if text is None else extract(text, task.kind, task.choices)
    if task.gold is None:
        return Score(None, None, found is not None)
    promised = None if text is None else extract_strict(text, task.kind, task.choices)
    gold = str(task.gold)
    return Score(
        strict=float(equal_strict(promised, gold, task.kind)),
        flexible=float(equal(found, gold, task.kind)),
        parsed=found is not None,
    )


def content_hash(task: Task) -> str:
    """Names what a task asks, whatever its id, split and gold: the words of prompt, private lines and choices.

    Case, spacing, punctuation and the order of words do not count, so that "57 + 34" is "34 + 57", and a question whose
    options or sentences were shuffled is the same question.
    """
    told = [task.prompt, *task.private.values(), *task.choices]
    return digest(*sorted(_WORD.findall("\n".join(told).casefold())))


def guard_overlap(train: Iterable[Task], evaluation: Iterable[Task]) -> None:
    """Raises BadData, naming up to five pairs, where a task to learn from asks what a task to be measured on asks."""
    held_out = {content_hash(task): task for task in evaluation}
    shared = [(task, held_out[key]) for task in train if (key := content_hash(task)) in held_out]
    if shared:
        named = ", ".join(f"{a.id!r} = {b.id!r}" for a, b in shared[:5])
        raise BadData(
            f"expected training and evaluation tasks to be disjoint, got {len(shared)} in common ({named}); "
            "fix: train on another split"
        )


def jsonl_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of each line of a JSON Lines file that is not blank; BadData where it is none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"expected a UTF-8 JSON Lines file, got {str(path)!r} ({error}); fix: the path") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadData(f"{path}:{number}: expected JSON, got {line[:80]!r}; fix: one object a line") from error
        if not isinstance(row, dict):
            raise BadData(f"{path}:{number}: expected a JSON object, got {line[:80]!r}; fix: one object a line")
        yield number, row
