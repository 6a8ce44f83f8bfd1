"""Two steps to yes or no: each sampled question worked out again from its words, and the official file."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evals import strategyqa
from orchestra.evals.strategyqa import FACTS, FORMS, SIZES
from orchestra.evaluation.benchmark import Score, content_hash, guard_overlap
from orchestra.evaluation.sources.generate import SPLITS
from orchestra.types import Task

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "strategyqa" / "dev.json"


def everything(family: str) -> list[Task]:
    tasks = list[Task]()
    for split in SPLITS:
        with pytest.raises(BadInput, match="fix: a smaller n") as refused:
            strategyqa(family).sample(10**9, split=split)
        holds = int(re.search(r"holds (\d+)", str(refused.value))[1])  # type: ignore[index]
        tasks += strategyqa(family).sample(holds, split=split)
    return tasks


def solve(prompt: str) -> bool:
    """The answer by following the words, step by step."""
    facts, question = prompt.split("\n")
    linked = dict(re.findall(r"(\w+) (?:lives in|is in|keeps a|was founded in) (\w+)\.", facts))
    if match := re.match(r"Does (\w+) live in (\w+)\?", question):
        return linked[linked[match[1]]] == match[2]
    if match := re.match(r"Can the animal that (\w+) keeps (\w+)\?", question):
        return f"A {linked[match[1]]} can {match[2]}." in facts
    first, second = re.findall(r"town of (\w+)", question)
    return int(linked[linked[first]]) < int(linked[linked[second]])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", FORMS)
def test_every_item_exists_once_is_solvable_and_is_no_more_often_yes_than_no(form: str, size: int) -> None:
    tasks = everything(f"{form}-{size}")
    assert FACTS - 2 < len(tasks) <= FACTS  # two facts in the same words are told once
    assert len(tasks) == len({task.id for task in tasks}) == len({content_hash(task) for task in tasks})
    assert all((task.gold == "yes") == solve(task.prompt) for task in tasks)
    assert Counter(task.gold for task in tasks)["yes"] / len(tasks) == pytest.approx(
        0.5, abs=0.045
    )  # 4 standard errors
    shares = Counter(task.split for task in tasks)
    assert {s: shares[s] / FACTS for s in SPLITS} == {
        s: pytest.approx(len(p) / 100, abs=0.04) for s, p in SPLITS.items()
    }


@pytest.mark.parametrize("form", FORMS)
def test_words_alone_do_not_answer(form: str) -> None:
    """Neither whether the last fact is about what is asked, nor how often the facts say so, says yes."""
    tasks = everything(f"{form}-4")
    for clue in (
        lambda task: task.prompt.split("\n")[1].split()[-5].strip("?") in task.prompt.split("\n")[0].split(". ")[-1],
        lambda task: task.prompt.count("cannot") > 2,
        lambda task: task.prompt.split("\n")[0] < "J",
    ):
        golds = Counter(task.gold for task in tasks if clue(task))
        n = sum(golds.values())
        assert abs(golds["yes"] - n / 2) <= 2 * n**0.5  # 4 standard errors


def test_splits_share_no_facts_across_levels() -> None:
    train = [
        task for size in SIZES for form in FORMS for task in strategyqa(f"{form}-{size}").sample(900, split="train")
    ]
    test = [task for size in SIZES for form in FORMS for task in strategyqa(f"{form}-{size}").sample(400, split="test")]
    guard_overlap(train, test)


@pytest.mark.parametrize("level", range(5))
def test_each_level_keeps_the_contract(level: int) -> None:
    check_benchmark(strategyqa(), n=9, level=level)
    assert {task.family for task in strategyqa().sample(3, split="dev", level=level)} == {
        f"{form}-{SIZES[level]}" for form in FORMS
    }


def test_what_is_no_answer() -> None:
    task = Task("t", "Is it?", "no", "choice", choices=("yes", "no"))
    assert strategyqa().score(task, "I do not know") == Score(0.0, 0.0, False)  # a public scorer reads "no" in it
    assert strategyqa().score(task, "No, it is not.") == Score(0.0, 1.0, True)
    with pytest.raises(UnknownName, match="did you mean 'place-10'"):
        strategyqa("place-1")


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official file is not beside the repository")
def test_loads_the_official_file() -> None:
    tasks = strategyqa().load(OFFICIAL, split="dev")
    assert len(tasks) == 229 == len({task.id for task in tasks})
    assert Counter(task.gold for task in tasks) == {"no": 122, "yes": 107}
    check_benchmark(strategyqa(), n=8, loaded=tasks)
    with pytest.raises(BadInput, match="--split dev"):
        strategyqa().load(OFFICIAL, split="train")


def test_a_row_of_another_form_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    row = {"qid": "1", "question": "Is it?", "answer": True}
    for change in ({"answer": "yes"}, {"qid": 1}, {"question": None}):
        file.write_text(json.dumps([row, {**row, "qid": "2", **change}]), "utf-8")
        with pytest.raises(BadData, match=r"rows\.json:2: expected"):
            strategyqa().load(file, split="train")
    file.write_text(json.dumps([row, row]), "utf-8")
    with pytest.raises(BadData, match="'1' twice"):
        strategyqa().load(file, split="train")
