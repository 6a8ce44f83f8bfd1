"""Questions with labelled options: how they are read and written, and what a reply that names one by its words scores.

A prompt is the question and then one line an option, "A. text"; `Task.choices` are the labels and the gold is one of
them. Invariant: `options` reads back from a task what `posed` wrote into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestra.answers import extract
from orchestra.evaluation.benchmark import Score, grade
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import Dice, Item
from orchestra.types import Task

LETTERS: Final = ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J")


class Fact(NamedTuple):
    """One thing to know, with more wrong answers than are shown."""

    name: tuple[str, ...]
    question: str
    right: str
    wrong: Sequence[str]


def prompt(question: str, options: Mapping[str, str]) -> str:
    """The question and its options, each text on one line.

    >>> print(prompt("Which is wet?", {"A": "sand", "B": "the\\nsea"}))
    Which is wet?
    A. sand
    B. the sea
    """
    return "\n".join([question.strip(), *(f"{label}. {' '.join(text.split())}" for label, text in options.items())])


def options(task: Task) -> dict[str, str]:
    """Label -> text, from the prompt."""
    lines = task.prompt.rsplit("\n", len(task.choices))[1:]
    return {label: line.removeprefix(f"{label}. ") for label, line in zip(task.choices, lines, strict=True)}


def posed(fact: Fact, labels: Sequence[str] = LETTERS[:4]) -> Item:
    """The fact as an item, with as many options as labels, wrong ones and order drawn by the fact and its words."""
    dice = Dice("options", *fact.name, fact.question, *fact.wrong, *labels)
    texts = dice.take([fact.right, *dice.take(fact.wrong, len(labels) - 1)], len(labels))
    shown = dict(zip(labels, texts, strict=True))
    gold = next(label for label, text in shown.items() if text == fact.right)
    return Item(fact.name, prompt(fact.question, shown), gold, tuple(labels))


def all_posed(facts: Iterable[Fact], labels: Sequence[str] = LETTERS[:4]) -> list[Item]:
    return [posed(fact, labels) for fact in facts]


def read(path: Path, family: Callable[[Mapping[str, Any]], str]) -> Iterator[Task]:
    """The tasks of a file of labelled options, as ARC and CommonsenseQA publish them; without an answer, no gold.

    Either the question is an object with `stem` and `choices` (a list of `label` and `text`), or it is a text beside
    `choices`, which are then such a list too, or an object with the lists `label` and `text`, as on Hugging Face.
    """
    for where, row in rows(path):
        try:
            task = _labelled(row, family(row))
        except (KeyError, TypeError, AttributeError):
            refuse(where, '"id", "answerKey" and "question" with "stem" and "choices" (each "label" and "text")', row)
        if task.gold is not None and task.gold not in task.choices:
            refuse(where, f"an answer among {', '.join(task.choices)}", row)
        yield task


def _labelled(row: Mapping[str, Any], family: str) -> Task:
    question = row["question"]
    stem, choices = (
        (question["stem"], question["choices"]) if isinstance(question, dict) else (question, row["choices"])
    )
    pairs = zip(choices["label"], choices["text"], strict=True) if isinstance(choices, dict) else map(_pair, choices)
    shown = {str(label): str(text) for label, text in pairs}
    asked = prompt(stem, shown)
    return Task(str(row["id"]), asked, row.get("answerKey") or None, "choice", choices=tuple(shown), family=family)


def _pair(choice: Mapping[str, Any]) -> tuple[Any, Any]:
    return choice["label"], choice["text"]


def grade_choice(task: Task, text: str | None) -> Score:
    """By label; under the flexible rule also by the words of an option, where the reply names no label.

    >>> task = Task("t", prompt("Which is wet?", {"A": "sand", "B": "the sea"}), "B", "choice", choices=("A", "B"))
    >>> grade_choice(task, "Answer: the sea"), grade_choice(task, "Answer: B").strict
    (Score(strict=0.0, flexible=1.0, parsed=True), 1.0)
    """
    score = grade(task, text)
    if score.parsed or text is None:
        return score
    words = options(task)
    said = extract(text, "choice", tuple(words.values()))
    if said is None:
        return score
    right = None if task.gold is None else float(said.casefold() == words[str(task.gold)].casefold())
    return Score(score.strict, right, True)
