"""The adapter of reasoning-gym: its traps, shown on the library itself where it is installed."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData, BadInput, Unavailable
from orchestra.evals import gym
from orchestra.evals.gym import CHANCES, LEVELS
from orchestra.evaluation.benchmark import Score, content_hash
from orchestra.evaluation.sources.generate import SPLITS
from orchestra.types import Task

FAMILIES = [name for level in LEVELS for name in level]
NAME = Task("t", "Who adores the color purple? Reply only with a name.", "Luk", family="needle_haystack")
SUM = Task("t", "4 + 3 =", "7", family="chain_sum")
LIST = Task("t", "Sort 1, 3, 2.", "['3', '2', '1']", family="number_sorting")


@pytest.mark.parametrize(
    ("task", "text", "expected"),
    [
        (NAME, "Luk", Score(0.0, 1.0, True)),  # the published results have 0.00 here, where 92 % of replies are right
        (NAME, "<answer>Luk</answer>", Score(1.0, 1.0, True)),
        (NAME, "<answer>Ann</answer> no, <answer>\nLuk\n</answer>.", Score(1.0, 1.0, True)),
        (NAME, "<think><answer>Ann</answer></think>Luk", Score(0.0, 1.0, True)),
        (NAME, "Luk or Ann", Score(0.0, 0.0, True)),
        (SUM, "<answer>17</answer>", Score(0.0, 0.0, True)),  # the library: 0.5, as 17 contains 7
        (SUM, "<answer>7.0</answer>", Score(0.0, 1.0, True)),
        (SUM, "<answer>07</answer>", Score(0.0, 1.0, True)),
        (SUM, "<answer></answer>", Score(0.0, 0.0, False)),
        (SUM, "", Score(0.0, 0.0, False)),
        (SUM, None, Score(0.0, 0.0, False)),
        (LIST, "<answer>3, 2, 1</answer>", Score(0.0, 1.0, True)),
        (LIST, "<answer>['3', '2', '1']</answer>", Score(1.0, 1.0, True)),
        (LIST, "<answer>[1, 2, 3]</answer>", Score(0.0, 0.0, True)),
        (Task("t", "?", None), "<answer>7</answer>", Score(None, None, True)),
    ],
)
def test_right_or_wrong_with_tags_and_without(task: Task, text: str | None, expected: Score) -> None:
    assert gym().score(task, text) == expected


@given(st.text() | st.text(alphabet="<answer>/[]',7 ", max_size=60))
def test_no_text_raises_and_strict_right_is_flexible_right(text: str) -> None:
    strict, flexible, parsed = gym().score(LIST, text)
    assert strict is not None
    assert flexible is not None
    assert strict <= flexible <= float(parsed)


def test_every_level_has_three_families_with_a_chance() -> None:
    assert [len(level) for level in LEVELS] == [3] * 5
    assert CHANCES.keys() == set(FAMILIES)
    assert gym().chance == max(CHANCES.values())


def test_loads_what_the_library_exports(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    row = {"question": "4 + 3 =", "answer": "7", "metadata": {"source_dataset": "chain_sum"}}
    file.write_text(json.dumps(row), "utf-8")
    [task] = gym().load(file, split="train")
    assert (task.gold, task.family) == ("7", "chain_sum")
    file.write_text(json.dumps({**row, "answer": 7}), "utf-8")
    with pytest.raises(BadData, match=r"rows\.jsonl:1: expected"):
        gym().load(file, split="train")


def test_without_the_library_its_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(Unavailable, match=re.escape("pip install 'orchestra-teams[evals]'")):
        gym("products").sample(1, split="dev")


# ── with the library


@pytest.fixture
def library() -> object:
    return pytest.importorskip("reasoning_gym", reason="the extra `evals` is not installed")


def everything(family: str) -> list[Task]:
    tasks = list[Task]()
    for split in SPLITS:
        with pytest.raises(BadInput, match="fix: a smaller n") as refused:
            gym(family).sample(10**9, split=split)
        holds = int(re.search(r"holds (\d+)", str(refused.value))[1])  # type: ignore[index]
        tasks += gym(family).sample(holds, split=split)
    return tasks


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("family", FAMILIES)
def test_items_exist_once_and_the_commonest_answer_is_no_commoner_than_chance(family: str) -> None:
    tasks = everything(family)
    assert len(tasks) >= 55
    assert len({task.id for task in tasks}) == len(tasks) == len({content_hash(task) for task in tasks})
    assert Counter(task.gold for task in tasks).most_common(1)[0][1] / len(tasks) <= CHANCES[family]
    for task in tasks[::10]:
        assert gym().score(task, f"<answer>{task.gold}</answer>") == Score(1.0, 1.0, True)


def test_neighbouring_seeds_share_no_more_than_chance(library) -> None:
    """Of the library itself they share 99 in 100."""
    theirs = [
        {entry["question"] for entry in library.create_dataset("number_format", size=100, seed=seed)}
        for seed in (42, 43)
    ]
    assert len(theirs[0] & theirs[1]) == 99
    ours = [{task.id for task in gym("number_format").sample(100, split="train", seed=seed)} for seed in (42, 43)]
    assert len(ours[0] & ours[1]) < 35  # of some 600; by chance 17


def test_the_library_gives_credit_where_we_give_none(library) -> None:
    entry = {"answer": "7", "metadata": {"source_dataset": "chain_sum"}}
    scorer = library.create_dataset("chain_sum", size=1, seed=1)
    assert 0.0 < scorer.score_answer("17", entry) < 1.0
    assert gym().score(SUM, "<answer>17</answer>").flexible == 0.0


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("level", range(5))
def test_each_level_keeps_the_contract(level: int) -> None:
    check_benchmark(
        gym(), n=3, level=level, right=lambda t: f"<answer>{t.gold}</answer>", wrong=lambda _: "<answer>#</answer>"
    )
