"""Knowledge of 57 subjects, four options each (MMLU, Hendrycks et al., arXiv 2009.03300).

A row of an official file `SUBJECT_test.csv`, which has no header; copies with a header and the answer as a place from
0, and the flat rows of the copy on Hugging Face, are read too; of a folder all CSV files:

    A Mars year is approximately how many Earth years long?,1/2,1,2,4,C

Test 14,042 questions, dev 285, val 1,531. The score is the letter's, averaged over questions; `Task.family` is the
subject, for the averages of each.

The sample is made from tables (`orchestra.evaluation.sources.facts`). Chance is 1/4.

| level | families          | facts |
|-------|-------------------|-------|
| 0     | largest, alphabet | 800   |
| 1     | days, months      | 800   |
| 2     | units, clock      | 827   |
| 3     | mixed, dates      | 775   |
| 4     | longest, weekday  | 800   |
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from orchestra.evaluation.sources import facts
from orchestra.evaluation.sources.files import cells, refuse, rows
from orchestra.evaluation.sources.generate import Family, Generated, Source
from orchestra.evaluation.sources.multiple_choice import LETTERS, all_posed, grade_choice, prompt
from orchestra.types import Task

LABELS: Final = LETTERS[:4]


def _read(path: Path) -> Iterator[Task]:
    for file in sorted(path.rglob("*.csv")) if path.is_dir() else [path]:
        subject = file.name.partition(".")[0].removesuffix("_test").removesuffix("_dev").removesuffix("_val")
        for where, question, texts, answer, own in _csv(file) if ".csv" in file.suffixes else _flat(file):
            label = LABELS[int(answer)] if str(answer) in ("0", "1", "2", "3") else str(answer)
            if len(texts) != len(LABELS) or label not in LABELS:
                refuse(where, "four options and an answer A to D (or 0 to 3)", [*texts, answer])
            asked = prompt(question, dict(zip(LABELS, texts, strict=True)))
            name = f"{file.stem}:{where.rpartition(':')[2]}"
            yield Task(name, asked, label, "choice", choices=LABELS, family=own or subject)


def _csv(file: Path) -> Iterator[tuple[str, str, list[str], str, str]]:
    """Place, question, options, answer; the subject is in the file's name."""
    for number, (where, row) in enumerate(cells(file)):
        if len(row) != 6:
            refuse(where, "question, four options and answer", row)
        if number or row[5].casefold() != "answer":  # else a header
            yield where, row[0], row[1:5], row[5], ""


def _flat(file: Path) -> Iterator[tuple[str, str, list[str], Any, str]]:
    for where, row in rows(file):
        question, texts = row.get("question"), row.get("choices")
        if not isinstance(question, str) or not isinstance(texts, list):
            refuse(where, '"question", "choices" and "answer"', row)
        yield where, question, [str(text) for text in texts], row.get("answer"), str(row.get("subject") or "")


def _family(name: str) -> Family:
    return Family(lambda: all_posed(facts.FAMILIES[name](), LABELS), 1 / len(LABELS))


SOURCE: Final = Source(
    name="mmlu",
    kind="choice",
    families={name: _family(name) for name in facts.FAMILIES},
    levels=facts.LEVELS,
    read=_read,
    score=grade_choice,
)


def mmlu(family: str = "") -> Generated:
    """Facts with four options, of one family if given; UnknownName where there is no such family.

    >>> [task] = mmlu("days").sample(1, split="train")
    >>> print(task.prompt.partition(chr(10))[0], task.gold)
    Which day of the week comes 308 days after Friday? D
    """
    return Generated(SOURCE, family)
