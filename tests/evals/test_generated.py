"""What holds for every benchmark that `orchestra.evaluation.sources.generate` makes, and for all of them together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from generated_items import everything, of_level

from orchestra.contracts import check_benchmark
from orchestra.digest import digest
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evals import arc, commonsenseqa, gsm8k, math, mmlu
from orchestra.evaluation.benchmark import content_hash, guard_overlap
from orchestra.evaluation.sources.generate import SPLITS, Dice, Generated
from orchestra.types import Task

BENCHMARKS = {made.name: made for made in (gsm8k(), math(), mmlu(), arc(), commonsenseqa())}
LEVELS = [(name, level) for name in BENCHMARKS for level in range(5)]
FAMILIES = [(name, family) for name, made in BENCHMARKS.items() for family in made.source.families]
ITEMS = {
    "gsm8k": [1875, 3200, 3200, 3200, 3200],
    "math": [785, 800, 800, 800, 800],
    "mmlu": [800, 800, 827, 775, 800],
    "arc": [800, 800, 827, 775, 800],
    "commonsenseqa": [1152, 528, 456, 399, 392],
}
"""Of each level; the tables of the docstrings say the same."""
GOLDEN = {
    "gsm8k": "6bce771f0d9fcbcdc0ec227ab5a038b6",
    "math": "c8da0184199d814580773693892a6976",
    "mmlu": "09890ab6a3f9c2233f10c0d790db496e",
    "arc": "bd70f1a3bc2081ae9f7da1ad6bf0e026",
    "commonsenseqa": "c9488d10dd61a10ac2c98ecaebfa5c62",
}


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_keeps_the_contract(name: str, level: int) -> None:
    check_benchmark(BENCHMARKS[name], n=3, level=level)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_items_are_as_many_as_stated_and_all_different(name: str) -> None:
    levels = [of_level(BENCHMARKS[name], level) for level in range(5)]
    assert list(map(len, levels)) == ITEMS[name]
    for tasks in levels:
        assert len({task.id for task in tasks}) == len({content_hash(task) for task in tasks}) == len(tasks)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_items_of_a_benchmark_stay_what_they_are(name: str) -> None:
    """Published figures rest on them, whatever the version of Python and its hash seed."""
    tasks = [task for level in range(5) for task in of_level(BENCHMARKS[name], level)]
    assert digest(*(f"{task.id} {task.prompt} {task.gold}" for task in tasks)) == GOLDEN[name]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_splits_have_their_shares_and_a_hundred_test_items_a_level(name: str) -> None:
    for level in range(5):
        shares = Counter(task.split for task in of_level(BENCHMARKS[name], level))
        assert shares["test"] >= 100
        for split, hundredths in SPLITS.items():
            assert shares[split] / shares.total() == pytest.approx(len(hundredths) / 100, abs=0.06)


def test_no_split_of_any_benchmark_shares_content_with_another() -> None:
    tasks = [task for made in BENCHMARKS.values() for level in range(5) for task in of_level(made, level)]
    by_split = {split: [task for task in tasks if task.split == split] for split in SPLITS}
    guard_overlap(by_split["train"], by_split["test"])
    guard_overlap(by_split["dev"], [*by_split["train"], *by_split["test"]])
    with pytest.raises(BadData, match="1 in common"):
        guard_overlap([by_split["test"][7]], by_split["test"])


@pytest.mark.parametrize(("name", "family"), FAMILIES)
def test_the_stated_chance_is_what_a_guess_gets(name: str, family: str) -> None:
    """The commonest gold; where there are options, any of them, and no label is commoner than draws would have it."""
    made, tasks = BENCHMARKS[name], everything(BENCHMARKS[name], family)
    commonest = Counter(task.gold for task in tasks).most_common(1)[0][1] / len(tasks)
    chance = made.source.families[family].chance
    assert Generated(made.source, family).chance == chance
    if tasks[0].kind != "choice":
        assert commonest <= chance < commonest + 0.08
        return
    guesses = [made.score(task, f"Answer: {label}").flexible for task in tasks for label in task.choices]
    assert sum(guesses) == len(tasks)  # type: ignore[arg-type]
    assert sum(1 / len(task.choices) for task in tasks) / len(tasks) == pytest.approx(chance, abs=0.008)
    assert commonest < chance + 4.5 * (chance * (1 - chance) / len(tasks)) ** 0.5


@pytest.mark.parametrize("name", BENCHMARKS)
def test_samples_are_ordered_by_the_seed_and_grow_at_the_end(name: str) -> None:
    made = BENCHMARKS[name]
    first, other = (made.sample(60, split="train", seed=seed) for seed in (3, 4))
    assert made.sample(20, split="train", seed=3) == first[:20]
    assert len({task.id for task in first} & {task.id for task in other}) < 40  # neighbours share no run of items


@pytest.mark.parametrize("name", BENCHMARKS)
def test_bad_requests_are_refused_with_the_remedy(name: str) -> None:
    made = BENCHMARKS[name]
    with pytest.raises(BadInput, match=r"level 1 holds \d+\), got n = 99999; fix: a smaller n"):
        made.sample(99999, split="test")
    with pytest.raises(BadInput, match="level from 0 to 4, got 5"):
        made.sample(1, split="test", level=5)
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        made.sample(1, split="trian")
    with pytest.raises(UnknownName, match=f"family of {name}"):
        Generated(made.source, "nothing like it")


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    source = gsm8k().source._replace(read=lambda path: [Task("same", "?"), Task("same", "??")])
    with pytest.raises(BadData, match="each id once, got 'same' twice"):
        Generated(source).load(tmp_path / "rows", split="train")


def test_dice_are_fair_and_named() -> None:
    dice = Dice("fair")
    counts = Counter(dice.below(6) for _ in range(6000))
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5  # chi-square, 5 degrees, p = 0.001
    assert sorted(Dice("all").take(range(9), 9)) == list(range(9))
    assert [Dice("x").below(10**9) for _ in range(2)] == [Dice("x").below(10**9)] * 2
    assert Dice("x").below(10**9) != Dice("y").below(10**9)
