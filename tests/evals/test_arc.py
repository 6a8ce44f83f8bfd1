"""School exams: labels that are digits, three to five options, several answers, and the official files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from generated_items import of_level, official

from orchestra.errors import BadData
from orchestra.evals import arc, mmlu
from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.sources.multiple_choice import options
from orchestra.types import Task


def test_official_facts() -> None:
    tasks = arc().load(official("arc", "arc_challenge_test.official.jsonl"), split="test")
    assert len(tasks) == len({task.id for task in tasks}) == 1172
    assert Counter(len(task.choices) for task in tasks) == {4: 1165, 3: 4, 5: 3}
    assert sum(str(task.gold).isdigit() for task in tasks) == 22
    key = [json.loads(line) for line in official("arc", "arc_challenge_test.answers.jsonl").read_text().splitlines()]
    assert {f"arc/test/{row['id']}": row["answerKey"] for row in key} == {task.id: task.gold for task in tasks}
    assert all(arc().score(task, f"Answer: {task.gold}") == Score(1.0, 1.0, True) for task in tasks)
    letters = [arc().score(t, f"Answer: {'ABCDE'[t.choices.index(t.gold)]}").strict for t in tasks]
    assert sum(letters) == 1172  # type: ignore[arg-type]
    shown = next(task for task in tasks if task.id == "arc/test/MCAS_1998_4_19")
    assert (shown.family, options(shown)["D"], shown.gold) == ("MCAS", "the Sun.", "D")


@pytest.mark.parametrize(
    ("reply", "worth"),
    [
        ("Answer: B", 1.0),
        ("Answer: 2", 1.0),
        ("Answer: A;B", 0.5),
        ("So it is one of\nAnswer: 1; 2; 4", 1 / 3),
        ("Answer: A;C", 0.0),
        ("Answer: A;B;C;D", 0.25),
        ("<think>Answer: A;B</think>Answer: B", 1.0),
        ("Answer: A", 0.0),
    ],
)
def test_k_labels_are_worth_one_in_k(reply: str, worth: float) -> None:
    digits = any(c.isdigit() for c in reply)
    labels = ("1", "2", "3", "4") if digits else ("A", "B", "C", "D")
    task = Task("t", "?\n" + "\n".join(f"{c}. thing{c}" for c in labels), labels[1], "choice", choices=labels)
    assert arc().score(task, reply) == Score(worth, worth, True)


def test_the_sample_has_digits_and_three_to_five_options() -> None:
    tasks = [task for level in range(5) for task in of_level(arc(), level)]
    sizes = Counter(len(task.choices) for task in tasks)
    assert {size: round(count / len(tasks), 1) for size, count in sizes.items()} == {3: 0.1, 4: 0.7, 5: 0.1}
    assert 0.22 < sum(task.gold.isdigit() for task in tasks) / len(tasks) < 0.28


def test_a_fact_is_in_the_split_that_it_has_in_mmlu() -> None:
    ours, theirs = ({t.prompt.split("\n")[0]: t.split for t in of_level(b, 1)} for b in (arc(), mmlu()))
    assert ours == theirs
    assert set(ours.values()) == {"train", "dev", "test"}


def test_flat_rows_are_read_and_others_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    flat = {"id": "MCAS_1", "question": "Planets orbit", "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}}
    file.write_text(json.dumps({**flat, "answerKey": "3"}), "utf-8")
    [task] = arc().load(file, split="train")
    assert (task.prompt, task.gold, task.family) == ("Planets orbit\n1. a\n2. b\n3. c", "3", "MCAS")
    for change in (
        {"answerKey": "D"},
        {"question": None},
        {"choices": ["a"]},
        {"choices": {"text": ["a"]}},
        {"id": None},
    ):
        row = {**flat, "answerKey": "3", **change}
        if row.pop("id") is not None:
            row["id"] = "MCAS_1"
        file.write_text(json.dumps(row), "utf-8")
        with pytest.raises(BadData, match=r"rows\.jsonl:1: expected"):
            arc().load(file, split="train")
