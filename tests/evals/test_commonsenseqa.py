"""Everyday knowledge: one right option by the tables, and the official files."""

from __future__ import annotations

from collections import Counter

import pytest
from generated_items import everything, official

from orchestra.evals import commonsenseqa
from orchestra.evals._concepts import JOBS, KINDS, OPPOSITES, PLACES, USES
from orchestra.evals.commonsenseqa import FAMILIES, KIND_OF
from orchestra.evaluation.sources.multiple_choice import options

TABLES = {"kind": KIND_OF, "opposite": OPPOSITES, "use": USES, "job": JOBS, "place": PLACES}


@pytest.mark.parametrize("family", FAMILIES)
def test_exactly_one_option_is_right_by_the_tables(family: str) -> None:
    for task in everything(commonsenseqa(), family):
        question, shown = task.prompt.split("\n")[0], options(task)
        assert len(shown) == len(set(shown.values())) == 5
        gold, others = shown[task.gold], [text for label, text in shown.items() if label != task.gold]
        if family == "odd":
            kind = question.removeprefix("Which of these is not a kind of ").removesuffix("?")
            assert {KIND_OF[other] for other in others} == {kind} != {KIND_OF[gold]}
        elif family == "analogy":
            pair, second = question.removesuffix(" is to what?").split(" as ")
            first, lure = pair.split(" is to ")
            [table] = [table for table in (KIND_OF, USES, PLACES) if table.get(first) == lure]
            assert gold == table[second]
            assert set(others) <= set(table.values()) - {lure}
        else:
            table = TABLES[family]
            pairs = {*table.items(), *((right, left) for left, right in table.items())}
            asked = [left for left, right in pairs if right == gold and left in question]
            assert asked, task.prompt
            assert not any((left, other) in pairs for left in asked for other in others), task.prompt


@pytest.mark.parametrize("table", [OPPOSITES, USES, JOBS, PLACES])
def test_each_line_has_an_answer_of_its_own(table: dict[str, str]) -> None:
    """Only so may the answers of other lines be offered as wrong ones, in both directions."""
    assert len({*table, *table.values()}) == 2 * len(table)


def test_each_thing_is_of_one_kind() -> None:
    assert len(KIND_OF) == sum(map(len, KINDS.values())) == 14 * 8


def test_all_phrasings_of_a_fact_are_in_one_split() -> None:
    splits: dict[str, set[str]] = {}
    for task in everything(commonsenseqa(), "kind"):
        splits.setdefault(task.prompt.split("\n")[0].rpartition(": ")[2], set()).add(task.split)
    assert len(splits) == 112
    assert all(len(found) == 1 for found in splits.values())


def test_official_facts() -> None:
    """The answers of the test file are hidden, so its tasks are not scored."""
    dev = commonsenseqa().load(official("commonsenseqa", "dev_rand_split.jsonl"), split="dev")
    assert len(dev) == len({task.id for task in dev}) == 1221
    assert Counter(task.gold for task in dev) == {"A": 239, "B": 255, "C": 241, "D": 251, "E": 235}
    assert all(task.choices == ("A", "B", "C", "D", "E") for task in dev)
    shown = next(task for task in dev if task.prompt.startswith("What blocks sunshine?"))
    assert (shown.family, options(shown)[shown.gold]) == ("sunshine", "moon")
    assert commonsenseqa().score(shown, "I would say it is the moon.") == (0.0, 1.0, True)
    hidden = commonsenseqa().load(official("commonsenseqa", "test_rand_split_no_answers.jsonl"), split="test")
    assert len(hidden) == 1140
    assert {task.gold for task in hidden} == {None}
    assert commonsenseqa().score(hidden[0], "Answer: A") == (None, None, True)
