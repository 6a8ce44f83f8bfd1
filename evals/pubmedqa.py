"""Research questions answered by yes, no or maybe from an abstract (PubMedQA, Jin et al., arXiv 1909.06146).

An entry of `ori_pqal.json` (pubmedqa/pubmedqa, MIT; made up, and only what is read):

    {"12345": {"QUESTION": "Does it help?", "CONTEXTS": ["Background ...", "Of 40 patients ..."],
               "LABELS": ["BACKGROUND", "RESULTS"], "final_decision": "yes", ...}, ...}

Of its 1,000 entries the 500 of `test_ground_truth.json`, which must lie beside it, are the test: 276 yes, 169 no, 55
maybe. As in the official evaluation all and only these count. The others are train or dev. Chance is the share of yes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from typing import Any, Final

from orchestra.errors import BadData
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import loaded
from orchestra.evaluation.sources.published import Published
from orchestra.types import Task

ANSWERS: Final = ("yes", "no", "maybe")
TRUTH: Final = "test_ground_truth.json"


@dataclass(frozen=True, slots=True)
class PubMedQA(Published):
    """One file of all splits, and another that says which entries are the test."""

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        """The entries of a split, in the order of the file; BadData where a test entry is missing or differs."""
        truth = _object(path.with_name(TRUTH))
        tasks = {task.id.rpartition("/")[2]: task for task in loaded(self.name, self.read, path, split)}
        for name, gold in truth.items():
            if name not in tasks or tasks[name].gold != gold:
                raise BadData(
                    f"{path}: expected entry {name!r} with {gold!r}, as {TRUTH} has it; fix: the pair of files"
                )
        return [task for name, task in tasks.items() if (name in truth) == (split == "test")]


def pubmedqa() -> PubMedQA:
    """The loader and its score.

    >>> pubmedqa().chance
    0.552
    """
    return PubMedQA("pubmedqa", 276 / 500, _read)


def macro_f1(golds: Sequence[str], answers: Sequence[str | None]) -> float:
    """Mean over yes, no and maybe of F1: the second official figure; an answer of None is none of them.

    >>> round(macro_f1(["yes", "yes", "no", "maybe"], ["yes", "no", "no", None]), 4)
    0.4444
    """
    right = Counter(gold for gold, answer in zip(golds, answers, strict=True) if gold == answer)
    named = Counter(golds) + Counter(answer for answer in answers if answer is not None)
    return fsum(2 * right[label] / named[label] for label in ANSWERS if named[label]) / len(ANSWERS)


def _read(path: Path) -> Iterator[Task]:
    for name, entry in _object(path).items():
        found = entry if isinstance(entry, dict) else {}
        question, contexts, gold = (found.get(field) for field in ("QUESTION", "CONTEXTS", "final_decision"))
        if not isinstance(question, str) or not isinstance(contexts, list) or gold not in ANSWERS:
            refuse(f"{path}: {name}", '"QUESTION", "CONTEXTS" and "final_decision" (yes, no or maybe)', entry)
        asked = "\n".join([*map(str, contexts), f"{question} Answer yes, no or maybe."])
        yield Task(name, asked, gold, "choice", choices=ANSWERS)


def _object(path: Path) -> Mapping[str, Any]:
    """The one object that the file is."""
    [(_, found), *others] = list(rows(path)) or [("", {})]
    if others or not found:
        raise BadData(f"{path}: expected one JSON object of entries by their id, got {len(others) + 1}; fix: the file")
    return found
