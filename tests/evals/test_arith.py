"""The arithmetic benchmark and the contract that it, and every benchmark, keeps."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evals import arith
from orchestra.evals.arith import FAMILIES, LEVELS, SPLITS, Arith
from orchestra.evaluation.benchmark import Benchmark, Score, content_hash, grade, guard_overlap
from orchestra.types import FrozenMap, Task

GSM8K = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "test.jsonl"
SIZES = {"add1": 855, "add2": 4095, "add3": 11480, "sub": 4005, "mul": 720, "mul2": 4095, "compare": 4005, "gcd": 1848}


def everything(family: str) -> list[Task]:
    """All items of a family, found through the message that says how many there are."""
    tasks = list[Task]()
    for split in SPLITS:
        with pytest.raises(BadInput, match="fix: a smaller n") as refused:
            arith(family).sample(10**9, split=split)
        holds = int(re.search(r"holds (\d+)", str(refused.value))[1])  # type: ignore[index]
        tasks += arith(family).sample(holds, split=split)
    return tasks


def solve(prompt: str) -> int:
    """The answer worked out from the words of the prompt alone, by other means than the generator's."""
    numbers = [int(number) for number in re.findall(r"\d+", prompt)]
    if "larger" in prompt:
        return numbers[numbers[0] < numbers[1]]
    if "divisor" in prompt:
        return max(d for d in range(1, 100) if not any(number % d for number in numbers))
    return int(eval(prompt.removeprefix("What is ").removesuffix("?")))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_item_of_a_family_exists_once_with_its_answer(family: str) -> None:
    tasks = everything(family)
    assert len(tasks) == SIZES[family] == len({task.id for task in tasks}) == len({content_hash(t) for t in tasks})
    assert all(task.gold == str(solve(task.prompt)) and task.family == family for task in tasks)
    shares = Counter(task.split for task in tasks)
    for split, hundredths in SPLITS.items():
        assert shares[split] / len(tasks) == pytest.approx(len(hundredths) / 100, abs=0.03)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stated_chance_is_the_share_of_the_commonest_gold(family: str) -> None:
    golds = Counter(task.gold for task in everything(family))
    commonest = golds.most_common(1)[0][1] / SIZES[family]
    assert arith(family).chance == (0.5 if family == "compare" else commonest)
    assert commonest <= arith(family).chance


def test_chance_over_all_levels_is_that_of_the_most_guessable() -> None:
    assert arith().chance == max(arith(name).chance for level in LEVELS for name in level)


def test_a_plus_b_and_b_plus_a_are_one_item_and_either_order_is_met() -> None:
    pairs = [tuple(map(int, task.id.rpartition("/")[2].split("+"))) for task in everything("add2")]
    assert len({tuple(sorted(pair)) for pair in pairs}) == 90 * 91 // 2
    assert 0.45 < sum(a < b for a, b in pairs) / len(pairs) < 0.55


def test_samples_are_keyed_by_seed_and_grow_at_the_end() -> None:
    bench = arith(family="add2")
    long, short = bench.sample(200, split="test", seed=3), bench.sample(50, split="test", seed=3)
    neighbour = bench.sample(200, split="test", seed=4)
    assert list(long[:50]) == list(short)
    assert len({task.id for task in long}) == 200
    shared = len({task.id for task in long} & {task.id for task in neighbour})
    assert shared < 70  # 200 of 1,193 twice: about 34 by chance, not 199
    assert not bench.sample(0, split="test")


def test_golden_sample() -> None:
    """Published figures rest on these items: a change to any of them needs a new family name."""
    assert [task.id for task in arith().sample(3, split="test", seed=0)] == [
        "arith/add2/test/52+39",
        "arith/add2/test/74+29",
        "arith/add2/test/37+90",
    ]
    row = Task("arith/add2/train/34+57", "What is 34 + 57?", "91", "number", family="add2", split="train")
    assert row in everything("add2")  # the row that the module's docstring shows


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_a_level_takes_its_families_in_turn(level: int) -> None:
    families = [task.family for task in arith().sample(60, split="test", level=level)]
    assert families == [LEVELS[level][i % len(LEVELS[level])] for i in range(60)]


def test_a_level_goes_on_with_one_family_when_the_other_is_used_up() -> None:
    tasks = arith().sample(1500, split="dev", level=2)
    assert Counter(task.family for task in tasks)["sub"] == len(arith("sub").sample(422, split="dev"))


def test_bad_requests_are_refused_with_the_remedy() -> None:
    with pytest.raises(BadInput, match=r"split 'test' holds 1193\), got n = 1194"):
        arith("add2").sample(1194, split="test")
    with pytest.raises(BadInput, match="got n = -1"):
        arith().sample(-1, split="test")
    with pytest.raises(BadInput, match="level from 0 to 4, got 5"):
        arith().sample(1, split="test", level=5)
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        arith().sample(1, split="trian")
    with pytest.raises(UnknownName, match="did you mean 'add2'"):
        arith("ad2")


def test_loads_own_rows_and_gsm8k_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows: list[object] = [
        {"prompt": "What is 34 + 57?", "gold": 91},
        {"question": "How many?", "answer": "70,000 - 1 = <<70000-1=69999>>69999\n#### 69,999"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n", "utf-8")
    first, second = arith().load(file, split="dev")
    assert (first.id, first.prompt, first.gold, first.kind) == ("arith/dev/rows:1", "What is 34 + 57?", "91", "number")
    assert (second.id, second.gold, second.split) == ("arith/dev/rows:2", "69999", "dev")
    for line in ("{", "[]", '{"prompt": "?"}', '{"prompt": "?", "gold": true}', '{"question": "?", "answer": "91"}'):
        file.write_text(json.dumps(rows[0]) + "\n" + line, "utf-8")
        with pytest.raises(BadData, match=r"rows\.jsonl:2: expected"):
            arith().load(file, split="dev")
    with pytest.raises(BadData, match=r"missing\.jsonl"):
        arith().load(tmp_path / "missing.jsonl", split="dev")


@pytest.mark.skipif(not GSM8K.exists(), reason="the official file is not beside the repository")
def test_loads_the_official_gsm8k_file() -> None:
    tasks = arith().load(GSM8K, split="test")
    assert len(tasks) == len({task.id for task in tasks}) == 1319
    assert tasks[0].gold == "18"
    guard_overlap(arith().sample(500, split="train"), tasks)


# ── the score and the overlap guard


ADDITION = Task("t", "What is 34 + 57?", gold="91", kind="number")


def test_wrong_unparsed_failed_and_unscored_are_told_apart() -> None:
    assert grade(ADDITION, "#### 91") == Score(1.0, 1.0, True)
    assert grade(ADDITION, "34 + 57 = 91, I think") == Score(0.0, 1.0, True)
    assert grade(ADDITION, "#### 90") == Score(0.0, 0.0, True)
    assert grade(ADDITION, "I do not know.") == Score(0.0, 0.0, False)
    assert grade(ADDITION, None) == Score(0.0, 0.0, False)
    assert grade(replace(ADDITION, gold=None), "#### 91") == Score(None, None, True)


def test_the_guard_names_what_is_in_both() -> None:
    evaluation = arith("add2").sample(20, split="test")
    guard_overlap(arith("add2").sample(500, split="train", seed=1), evaluation)
    a, b = evaluation[3].id.rpartition("/")[2].split("+")
    leaked = Task("mine/1", f"what is  {b} + {a} ?", gold=None)
    with pytest.raises(BadData, match=rf"1 in common \('mine/1' = '{re.escape(evaluation[3].id)}'\)"):
        guard_overlap([leaked], evaluation)


@given(st.permutations(["Ann", "has", "3", "red", "+", "4", "blue", "cats"]))
def test_order_is_no_content_but_private_lines_and_signs_are(words: Sequence[str]) -> None:
    task = Task("a", " ".join(words))
    assert content_hash(task) == content_hash(Task("b", "Ann has 3 red + 4 blue cats.", gold="7"))
    assert content_hash(task) != content_hash(Task("a", "Ann has 3 red - 4 blue cats"))
    assert content_hash(task) != content_hash(replace(task, private=FrozenMap({"left": "free at noon"})))


# ── the contract


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_keeps_the_contract(family: str) -> None:
    check_benchmark(arith(family), n=8)


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_each_level_keeps_the_contract(level: int) -> None:
    check_benchmark(arith(), n=8, level=level)


class OneSplit(Arith):
    """Every split is the same."""

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        tasks = super().sample(n, split="test", seed=seed, level=level)
        return [replace(task, id=f"{split}/{task.id}", split=split) for task in tasks]


class DeafToSeeds(Arith):
    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        return super().sample(n, split=split, seed=0, level=level)


class Forgetful(Arith):
    """Another sample at every call."""

    calls = count()

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        return super().sample(n, split=split, seed=next(self.calls), level=level)


class SameIds(Arith):
    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        return [replace(task, id="t") for task in super().sample(n, split=split, seed=seed, level=level)]


class GivesAway(Arith):
    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        tasks = super().sample(n, split=split, seed=seed, level=level)
        return [replace(task, prompt=f"{task.prompt} (#### {task.gold})") for task in tasks]


class CountsUnparseableAsRight(Arith):
    """As a published evaluation of debates does."""

    def score(self, task: Task, text: str | None) -> Score:
        score = super().score(task, text)
        return score if score.parsed or text is None else Score(1.0, 1.0, False)


class FindsSubstrings(Arith):
    def score(self, task: Task, text: str | None) -> Score:
        found = float(str(task.gold) in (text or ""))
        return Score(found, found, text is not None)


class Raises(Arith):
    def score(self, task: Task, text: str | None) -> Score:
        score = super().score(task, text)
        if not score.parsed and text is not None:
            raise ValueError("no answer")
        return score


class Overconfident(Arith):
    @property
    def chance(self) -> float:
        return math.nan


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (OneSplit(), "content"),
        (DeafToSeeds(), "another seed gave the same tasks"),
        (Forgetful(), "the same seed gave other tasks"),
        (SameIds(), "id 't' is in split"),
        (GivesAway(), "the prompt holds the answer"),
        (CountsUnparseableAsRight(), "must score 0"),
        (FindsSubstrings(), "must score 0"),
        (Raises(), "no answer"),
        (Overconfident(), "chance must be in"),
    ],
)
def test_a_broken_benchmark_fails_the_contract(broken: Benchmark, complaint: str) -> None:
    with pytest.raises((AssertionError, ValueError), match=complaint):
        check_benchmark(broken, n=8)
