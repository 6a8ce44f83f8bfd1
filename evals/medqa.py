"""Questions of the medical licensing examination of the USA (MedQA, Jin et al., arXiv 2009.13081).

A row of an official file (jind11/MedQA, MIT; further fields are not read):

    {"question": "A junior orthopaedic surgery resident is completing a carpal tunnel repair ...",
     "options": {"A": "Disclose the error to the patient and put it in the operative report", ...},
     "meta_info": "step1", "answer_idx": "B", "answer": "Tell the attending that he cannot fail to disclose ..."}

The test file with four options has 1,273 rows: 679 of step 1, 594 of steps 2 and 3. Chance is that of four options.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.multiple_choice import LETTERS, grade_choice, prompt
from orchestra.evaluation.sources.published import Published
from orchestra.types import Task


def medqa() -> Published:
    """The loader and its score by label.

    >>> medqa().chance
    0.25
    """
    return Published("medqa", 0.25, _read, grade_choice)


def _read(path: Path) -> Iterator[Task]:
    for where, row in rows(path):
        question, gold, options = row.get("question"), row.get("answer_idx"), row.get("options")
        options = options if isinstance(options, dict) else {}
        labels = LETTERS[: len(options)]
        if not isinstance(question, str) or len(labels) not in (4, 5) or set(labels) != options.keys():
            refuse(where, '"question" and "options" A to D or A to E', row)
        if gold not in labels or row.get("answer", options[gold]) != options[gold]:
            refuse(where, '"answer_idx" to be the label of "answer"', [gold, row.get("answer")])
        name = f"{path.stem}:{where.rpartition(':')[2]}"
        asked = prompt(question, {label: options[label] for label in labels})
        yield Task(name, asked, gold, "choice", choices=labels, family=str(row.get("meta_info", "")))
