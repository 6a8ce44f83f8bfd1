"""Questions that experts wrote so that searching does not help (GPQA, Rein et al., arXiv 2311.12022).

A row of an official file (CSV; the authors ask not to show examples in plain text, so this one is made up):

    Record ID,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Subdomain,...
    rec0,Which of these is prime?,7,4,6,8,Number theory,...

The file has the right answer first, so options are shown in an order drawn from a seed and the question: the same in
every run, and where the right one stands depends on no other row. Diamond has 198 rows. Chance is 0.25.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from orchestra.digest import digest
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import Dice
from orchestra.evaluation.sources.multiple_choice import LETTERS, grade_choice, prompt
from orchestra.evaluation.sources.published import Published
from orchestra.types import Task

ANSWERS: Final = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def gpqa(*, shuffle: int = 0) -> Published:
    """The loader, with the seed of the order of options, and its score by label.

    >>> gpqa().chance
    0.25
    """
    return Published("gpqa", 0.25, partial(_read, shuffle=shuffle), grade_choice)


def _read(path: Path, shuffle: int) -> Iterator[Task]:
    for where, row in rows(path):
        question, answers = row.get("Question"), [str(row.get(name) or "").strip() for name in ANSWERS]
        if not isinstance(question, str) or not question.strip() or not all(answers) or len(set(answers)) < 4:
            refuse(where, f'"Question" and four different answers ({", ".join(ANSWERS)})', row)
        labels = LETTERS[:4]
        shown = dict(zip(labels, Dice("gpqa", str(shuffle), question).take(answers, 4), strict=True))
        gold = next(label for label, text in shown.items() if text == answers[0])
        name = str(row.get("Record ID") or digest(question)[:12])
        family = str(row.get("Subdomain") or row.get("High-level domain") or "")
        yield Task(name, prompt(question, shown), gold, "choice", choices=labels, family=family)
