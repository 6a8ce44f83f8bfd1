"""The fifteen easiest tasks of reasoning-gym, cut down for small models (Stojanovski et al., arXiv 2505.24760).

Needs the extra `evals`. An entry as the library makes it, and the task that it becomes:

    {"question": "State the final answer to the following arithmetic problem: 4 - 1 =", "answer": "3", ...}
    Task(prompt="State the final ... 4 - 1 =\\nWrite the answer between <answer> and </answer>.", gold="3", kind="text")

| level | families                                                    |
|-------|-------------------------------------------------------------|
| 0     | chain_sum, needle_haystack, basic_arithmetic                |
| 1     | chain_sum_2, products, leg_counting                         |
| 2     | number_filtering, number_sorting, gcd                       |
| 3     | number_format, word_sequence_reversal, letter_counting      |
| 4     | word_sorting, spell_backward, syllogism                     |

Three traps of the library are kept out. Its item i is drawn from `seed + i`, so that neighbouring seeds share all but
one item: here item i is drawn from a digest, what it asks decides its split, and a seed only orders a split. Its scorer
gives credit for what is merely near or contains the answer: here an answer is right or wrong. And its published results
miss right answers without tags: here strict is the last pair of tags with the answer as the library writes it, and
flexible is what the tags hold or the reply plainly says, numbers and lists by value.

A load reads what the library exports: rows of "question", "answer" and "metadata" with "source_dataset".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from orchestra.answers import equal, extract
from orchestra.digest import digest
from orchestra.errors import missing_extra
from orchestra.evaluation.benchmark import Score, content_hash
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import Family, Generated, Item, Source
from orchestra.types import Task

DRAWS: Final = 1000
"""Of each family, before questions of the same words are dropped."""
ASKED: Final = "\nWrite the answer between <answer> and </answer>."
_TAGGED: Final = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.DOTALL)

LEVELS: Final[tuple[Mapping[str, Mapping[str, Any]], ...]] = (
    {
        "chain_sum": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1},
        "needle_haystack": {"min_num_statements": 3, "max_num_statements": 6},
        "basic_arithmetic": {
            "min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1, "operators": ("+", "-"),
            "allow_parentheses": False, "allow_negation": False,
        },
    },
    {
        "chain_sum_2": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2},
        "products": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1},
        "leg_counting": {"min_animals": 1, "max_animals": 2, "min_instances": 1, "max_instances": 2},
    },
    {
        "number_filtering": {"min_numbers": 3, "max_numbers": 3, "min_decimals": 0, "max_decimals": 0},
        "number_sorting": {
            "min_numbers": 3, "max_numbers": 3, "min_decimals": 0, "max_decimals": 0, "min_value": 0, "max_value": 20,
        },
        "gcd": {"min_value": 1, "max_value": 12},
    },
    {
        "number_format": {"min_num_candidates": 2, "max_num_candidates": 2, "max_n": 10_000, "max_delta": 1000},
        "word_sequence_reversal": {"min_words": 3, "max_words": 3},
        "letter_counting": {"min_words": 1, "max_words": 2},
    },
    {
        "word_sorting": {"min_words": 3, "max_words": 3, "min_word_length": 3, "max_word_length": 5},
        "spell_backward": {"min_word_len": 3, "max_word_len": 4},
        "syllogism": {},
    },
)  # fmt: skip
"""Family -> settings of the library's task; a number behind a name tells two settings of one task apart."""
CHANCES: Final = {
    "chain_sum": 0.11, "needle_haystack": 0.34, "basic_arithmetic": 0.1, "chain_sum_2": 0.02, "products": 0.19,
    "leg_counting": 0.13, "number_filtering": 0.5, "number_sorting": 0.17, "gcd": 0.6, "number_format": 0.5,
    "word_sequence_reversal": 0.01, "letter_counting": 0.83, "word_sorting": 0.17, "spell_backward": 0.01,
    "syllogism": 0.7,
}  # fmt: skip
"""Of the commonest answer, or of one of the names, numbers, orders or halves of a list at hand; rounded up. "1" is
right for 82 % of `letter_counting`, "Yes" for 69 % of `syllogism`: what is learnt must beat that."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {"syllogism": ("Yes", "No")}


def gym(family: str = "") -> Generated:
    """The adapter, of one family if given; UnknownName where there is no such family.

    >>> gym("products").chance, gym().name
    (0.19, 'gym')
    """
    return Generated(SOURCE, family)


def _items(name: str, settings: Mapping[str, Any]) -> Iterator[Item]:
    """Raises Unavailable where the library is not installed."""
    try:
        library = import_module("reasoning_gym")  # here: of the extra `evals`, and it takes a second
    except ImportError as error:
        raise missing_extra("evals", "reasoning-gym") from error
    entries = library.create_dataset(re.sub(r"_\d+$", "", name), seed=0, size=1 << 31, **settings)
    for draw in range(DRAWS):
        entry = entries[int(digest("gym", name, str(draw)), 16) % (1 << 31)]
        question = str(entry["question"]).strip()
        fact = ("gym", content_hash(Task("", question)))  # so 3 + 4 and 4 + 3 are one, even of two families
        yield Item(fact, question + ASKED, str(entry["answer"]), CHOICES.get(name, ()))


def _score(task: Task, text: str | None) -> Score:
    tags = _TAGGED.findall((text or "").rpartition("</think>")[2])
    plain = None if text is None else extract(text, "choice", task.choices) if task.choices else extract(text, "text")
    found = tags[-1].strip() if tags else plain
    if task.gold is None:
        return Score(None, None, bool(found))
    gold = str(task.gold)
    strict = float(bool(tags) and bool(gold) and found == gold)
    return Score(strict, max(strict, float(_same(found or "", gold))), bool(found))


def _same(answer: str, gold: str) -> bool:
    """Item by item the same text, or the same number; brackets and quotes do not count.

    >>> _same("[3, 1.0]", "['3', '1']"), _same("17", "7"), _same("1009", "1000"), _same("", "")
    (True, False, False, False)
    """
    said, wanted = _listed(answer), _listed(gold)
    same = len(said) == len(wanted) and all(a == b or equal(a, b, "number") for a, b in zip(said, wanted, strict=True))
    return same and bool(answer.strip())


def _listed(answer: str) -> list[str]:
    inside = answer.strip().rstrip(".").removeprefix("[").removesuffix("]")
    return [item.strip().strip("'\"") for item in inside.split(",")]


def _read(path: Path) -> Iterator[Task]:
    for where, row in rows(path):
        question, answer, metadata = row.get("question"), row.get("answer"), row.get("metadata")
        if not isinstance(question, str) or not isinstance(answer, str) or not isinstance(metadata, dict):
            refuse(where, '"question", "answer" and "metadata"', row)
        family = str(metadata.get("source_dataset", ""))
        yield Task(where.rpartition("/")[2], question + ASKED, answer, choices=CHOICES.get(family, ()), family=family)


SOURCE: Final = Source(
    name="gym",
    kind="text",
    families={
        name: Family(partial(_items, name, settings), CHANCES[name])
        for level in LEVELS
        for name, settings in level.items()
    },
    levels=[list(level) for level in LEVELS],
    read=_read,
    score=_score,
)
