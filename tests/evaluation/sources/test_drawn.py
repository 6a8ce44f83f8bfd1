"""Pools of drawn tasks: their splits, their order, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from orchestra.errors import BadInput, UnknownName
from orchestra.evaluation.sources.drawn import Draft, pool, sample, split_of
from orchestra.evaluation.sources.generate import SPLITS, Dice
from orchestra.types import Task


@dataclass(frozen=True, slots=True)
class Letters:
    """Three letters and a distractor: the letters are the crux. At level 0 there are few."""

    name: str = "letters"

    def draft(self, level: int, dice: Dice) -> Draft:
        letters = dice.take("abcdefghijklmnop"[: 4 + 3 * level], 3)
        task = Task("", f"Sort {' '.join(letters)}, not {dice.below(9)}.", "".join(sorted(letters)))
        return Draft(task, tuple(sorted(letters)))


def everything(level: int) -> list[Task]:
    return [task for tasks in pool(Letters(), level).values() for task in tasks]


def test_a_pool_holds_nothing_twice_whatever_the_order_of_words() -> None:
    assert len(everything(0)) == 4 * 9  # three of four letters, and nine distractors
    for level in range(5):
        assert len({task.id for task in everything(level)}) == len(everything(level))


def test_a_crux_is_in_one_split_whatever_distracts_and_at_every_level() -> None:
    where = dict[str, set[str]]()
    for level in range(5):
        for task in everything(level):
            where.setdefault(str(task.gold), set()).add(task.split)
            assert task.split == split_of(*str(task.gold))
    assert len(where) > 500
    assert all(len(splits) == 1 for splits in where.values())
    shares = {split: sum(split in splits for splits in where.values()) / len(where) for split in SPLITS}
    assert shares == {split: pytest.approx(len(part) / 100, abs=0.05) for split, part in SPLITS.items()}


def test_a_seed_orders_a_split_and_a_short_sample_begins_a_long_one() -> None:
    long, short, other = (
        sample(Letters(), n, split="train", seed=s, level=4) for n, s in ((80, 42), (20, 42), (80, 43))
    )
    assert list(long[:20]) == list(short)
    assert len({task.id for task in long} & {task.id for task in other}) < 20  # of some 2,000


def test_another_name_draws_other_tasks_of_the_same_splits() -> None:
    ours = {task.prompt for task in pool(Letters(), 4)["train"]}
    named = pool(replace(Letters(), name="letters:odd"), 4)
    assert ours != {task.prompt for task in named["train"]}
    assert all(task.split == split_of(*str(task.gold)) for tasks in named.values() for task in tasks)
    assert named["test"][0].id.startswith("letters/test/")


def test_bad_requests_are_refused_with_the_remedy() -> None:
    holds = len(pool(Letters(), 0)["dev"])
    with pytest.raises(BadInput, match=rf"holds {holds}\), got n = 99; fix: a smaller n"):
        sample(Letters(), 99, split="dev", seed=0, level=0)
    with pytest.raises(BadInput, match="level from 0 to 4, got 5"):
        sample(Letters(), 1, split="dev", seed=0, level=5)
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        sample(Letters(), 1, split="tarin", seed=0, level=0)
