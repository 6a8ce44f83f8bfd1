"""Questions to general assistants with short answers that can be checked (GAIA, Mialon et al., arXiv 2311.12983).

A row of `metadata.jsonl` (gated on Hugging Face; this one is made up, and only what is read):

    {"task_id": "c61d", "Question": "Which are the two smallest primes?", "Level": 1, "Final answer": "2, 3",
     "file_name": "", ...}

Validation has 165 rows; the 301 of the test have "?" for an answer and are not scored. A file that a question has
is named in the prompt and not read.

Score, by the rule of the official scorer, which looks at the gold: a number must be equal, `$`, `%` and `,` apart; a
list (with `,` or `;`) must be as long and equal item by item, where punctuation counts; any other text must be equal
but for space, punctuation and case. Strict reads a last line "FINAL ANSWER: ...", as the paper's prompt asks for,
flexible what the reply most plainly says. One thing differs: what is no finite number equals no number (the official
rule takes it for infinity). Chance is 0, as answers are open.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestra.answers import extract, extract_strict
from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.published import Published
from orchestra.types import Task

_FINAL: Final = re.compile(r"^[ \t]*final (?=answer:)", re.IGNORECASE | re.MULTILINE)
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def gaia() -> Published:
    """The loader and the official score.

    >>> gaia().score(Task("t", "Which?", "2, 3"), "FINAL ANSWER: 2,3").strict
    1.0
    """
    return Published("gaia", 0.0, _read, _score)


def right(answer: str, gold: str) -> bool:
    """The official rule.

    >>> right("$1,000", "1000"), right("a; B", "A;b"), right("Sea gull!", "seagull"), right("2", "2, 3")
    (True, True, True, False)
    """
    if _number(gold) is not None:
        return _number(_bare(answer)) == _number(gold)
    if re.search("[,;]", gold):
        pairs = re.split("[,;]", answer), re.split("[,;]", gold)
        return len(pairs[0]) == len(pairs[1]) and all(map(_same_item, *pairs))
    return bool(_plain(gold)) and _plain(answer) == _plain(gold)


def _same_item(answer: str, gold: str) -> bool:
    if _number(gold) is not None:
        return _number(_bare(answer)) == _number(gold)
    return "".join(answer.split()).lower() == "".join(gold.split()).lower()


def _plain(text: str) -> str:
    return "".join(text.split()).lower().translate(_PUNCTUATION)


def _bare(number: str) -> str:
    return number.translate(str.maketrans("", "", "$%,"))


def _number(text: str) -> float | None:
    """What Python reads as a finite number."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _score(task: Task, text: str | None) -> Score:
    said = None if text is None else _FINAL.sub("", text)  # then it is the answer line of every kind
    found = said and extract(said, "text")
    if task.gold is None:
        return Score(None, None, bool(found))
    promised = said and extract_strict(said, "text")
    strict, flexible = (float(bool(answer) and right(answer or "", task.gold)) for answer in (promised, found))
    return Score(strict, max(strict, flexible), bool(found))


def _read(path: Path) -> Iterator[Task]:
    for where, row in rows(path):
        name, question, gold = row.get("task_id"), row.get("Question"), row.get("Final answer")
        if not isinstance(name, str) or not isinstance(question, str) or not isinstance(gold, str):
            refuse(where, '"task_id", "Question" and "Final answer"', row)
        asked = question + (f"\nFile: {row['file_name']}" if row.get("file_name") else "")
        yield Task(name, asked, None if gold == "?" else gold, family=f"level-{row.get('Level')}")
