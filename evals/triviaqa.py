"""Trivia answered from memory, with all names that an answer goes by (TriviaQA, Joshi et al., arXiv 1705.03551).

A record of an official file; the flat rows of the copy on Hugging Face, and rows with `context`, `answer` and
`aliases`, are read too:

    {"Data": [{"Question": "Which Lloyd Webber musical premiered in the US on 10th December 1993?",
     "QuestionId": "tc_33", "Answer": {"Value": "Sunset Boulevard",
     "NormalizedAliases": ["west sunset boulevard", "sunset blvd", ...]}}]}

The gold is a tuple: the value, then every alias. An answer is right if its normal form is that of one of them, which is
the official exact match; `f1` is the official other score. The normal form replaces punctuation and underscores by
spaces, so "U.S." is not "us", as it would be under HotpotQA's.

There is only the loader: facts of the world cannot be generated. Chance is 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import punctuation
from typing import Any, ClassVar, Final

from orchestra.answers import extract, extract_strict
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import loaded
from orchestra.types import Task

_SPACES: Final = str.maketrans(dict.fromkeys(punctuation + "\u2018\u2019\u00b4`", " "))
_ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True, slots=True)
class TriviaQA:
    """The benchmark; it is all loader."""

    name: ClassVar[str] = "triviaqa"
    chance: ClassVar[float] = 0.0

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        """Raises BadInput: nothing is generated."""
        raise BadInput("expected an official file, since triviaqa generates no tasks; fix: --data FILE")

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        return loaded(self.name, _read, path, split)

    def score(self, task: Task, text: str | None) -> Score:
        """Exact match with any alias: of the answer in the promised form, and of what the reply plainly gives."""
        found = None if text is None else extract(text, "text")
        if task.gold is None:
            return Score(None, None, found is not None)
        promised = None if text is None else extract_strict(text, "text")
        return Score(float(match(promised, task.gold)), float(match(found, task.gold)), found is not None)


def triviaqa() -> TriviaQA:
    """The loader of TriviaQA.

    >>> task = Task("t", "Which country was it?", gold=("United States", "us"))
    >>> triviaqa().score(task, "Answer: The United_States!"), triviaqa().score(task, "Answer: U.S.").flexible
    (Score(strict=1.0, flexible=1.0, parsed=True), 0.0)
    """
    return TriviaQA()


def normal(answer: str) -> str:
    """The official normal form: lower case, no punctuation, no articles, single spaces.

    >>> normal("The  Cat's_whiskers"), normal("U.S.")
    ('cat s whiskers', 'u s')
    """
    return " ".join(_ARTICLES.sub(" ", answer.casefold().translate(_SPACES)).split())


def match(answer: str | None, aliases: Sequence[str]) -> bool:
    """Whether the answer is one of the aliases in normal form; an answer of which nothing is left is none."""
    return bool(said := normal(answer or "")) and any(said == normal(alias) for alias in aliases)


def f1(answer: str | None, aliases: Sequence[str]) -> float:
    """Overlap of words with the nearest alias, 0.0 to 1.0.

    >>> f1("the old Sunset Boulevard", ("Sunset Blvd", "Sunset Boulevard"))
    0.8
    """
    return max((_overlap(normal(answer or "").split(), normal(alias).split()) for alias in aliases), default=0.0)


def _overlap(said: Sequence[str], gold: Sequence[str]) -> float:
    common = (Counter(said) & Counter(gold)).total()
    return 2 * common / (len(said) + len(gold)) if common else 0.0


def _read(path: Path) -> Iterator[Task]:
    for where, row in rows(path):
        question = row.get("Question") or row.get("question") or _asked(row.get("context"))
        names = _names(row)
        if not isinstance(question, str) or not names:
            refuse(where, '"Question" and "Answer" with "Value", or "context" and "answer"', row)
        own = row.get("QuestionId") or row.get("question_id") or f"{path.stem}:{where.rpartition(':')[2]}"
        yield Task(str(own), question, names, "text", family=str(row.get("QuestionSource") or ""))


def _asked(context: Any) -> Any:
    """The question of a row that is a prompt: "Question: ...", then "Answer:"."""
    return context.removeprefix("Question: ").removesuffix("Answer:").strip() if isinstance(context, str) else context


def _names(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Value, aliases and what people answered, each once."""
    answer = row.get("Answer") or row.get("answer")
    if isinstance(answer, str):
        answer = {"value": answer, "aliases": row.get("aliases")}
    if not isinstance(answer, dict):
        return ()
    known = {str(key).replace("_", "").casefold(): value for key, value in answer.items()}
    lists = [known.get(key) or [] for key in ("aliases", "normalizedaliases", "humananswers")]
    return tuple(
        dict.fromkeys(str(name) for name in (known.get("value"), *(n for each in lists for n in each)) if name)
    )
