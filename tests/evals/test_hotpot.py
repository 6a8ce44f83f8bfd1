"""Split evidence: the union answers, no seat does, and official files load and score as they should."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from orchestra.contracts import check_benchmark
from orchestra.engine import run
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evals import hotpot
from orchestra.evals.hotpot import FAMILIES, LEVELS
from orchestra.evaluation.benchmark import Score, content_hash, guard_overlap
from orchestra.evaluation.sources.drawn import pool
from orchestra.evaluation.sources.generate import SPLITS, Dice
from orchestra.evaluation.sources.seats import alternate
from orchestra.models.scripted import Scripted
from orchestra.team import Role, register
from orchestra.topologies import debate
from orchestra.types import Request, Task

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "hotpotqa" / "hotpot_dev_v1_simplified.json"
ANYWHERE = {"a city", "another city"}
SEATS = [("debater-1", "debater-2"), ("a", "b", "c"), ("a", "b", "c", "d", "e")]


@register("tests.hotpot.said")
def said(text: str) -> str | None:
    return text.removeprefix("Answer: ") if text.startswith("Answer: ") else None


def possible(prompt: str, lines: list[str]) -> set[str]:
    """Every answer that some completion of these lines allows; ANYWHERE stands for cities that they do not name."""
    text = "\n".join(lines)
    if match := re.fullmatch(r"Were (\w+) and (\w+) born .*", prompt):
        born = [re.findall(rf"^{name} was born in (\w+)\.$", text, re.MULTILINE) for name in match.groups()]
        return {"yes" if born[0] == born[1] else "no"} if all(born) else {"yes", "no"}
    [film] = re.findall("director of (.+) born", prompt)
    everywhere = {city for _, city in re.findall(r"^(\w+) was born in (\w+)\.$", text, re.MULTILINE)} | ANYWHERE
    directors = re.findall(rf"^{film} was directed by (\w+)\.$", text, re.MULTILINE)
    if not directors:
        return everywhere
    return set(re.findall(rf"^{directors[0]} was born in (\w+)\.$", text, re.MULTILINE)) or everywhere


def some(family: str, level: int, seats: tuple[str, ...] = SEATS[0], n: int = 60) -> list[Task]:
    """Tasks of the family, without a pool."""
    return [hotpot(family, seats=seats).draft(level, Dice("some", str(i))).task for i in range(n)]


@pytest.mark.parametrize("seats", SEATS, ids=len)
@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize("family", FAMILIES)
def test_the_union_answers_and_no_seat_does(family: str, level: int, seats: tuple[str, ...]) -> None:
    for task in some(family, level, seats):
        everything = [line for told in task.private.values() for line in told.split("\n")]
        assert possible(task.prompt, everything) == {task.gold}
        assert set(task.private) <= set(seats)
        needed = 0
        for seat in task.private:
            assert len(possible(task.prompt, task.private[seat].split("\n"))) > 1
            others = [line for s, told in task.private.items() if s != seat for line in told.split("\n")]
            needed += len(possible(task.prompt, others)) > 1
        assert needed == 2  # the answer is open without either fact, and without no other seat's lines


def test_a_careless_split_would_be_caught() -> None:
    """Dealt at random, the two facts lie with one seat in every second task."""
    dealt = [
        (task, alternate([], "\n".join(task.private.values()).split("\n"), SEATS[0], Dice("careless", str(i))))
        for i, task in enumerate(some("bridge", 2))
    ]
    answered = [
        any(len(possible(t.prompt, told.split("\n"))) == 1 for told in private.values()) for t, private in dealt
    ]
    assert 15 < sum(answered) < 45


def test_one_seat_has_the_same_question_for_a_single_reader() -> None:
    [alone], [split] = (hotpot(seats=s).sample(1, split="train", seed=5) for s in (("reader",), SEATS[0]))
    assert (alone.id, alone.prompt, alone.gold) == (split.id, split.prompt, split.gold)
    assert content_hash(alone) == content_hash(split)
    assert sorted(alone.private["reader"].split("\n")) == sorted("\n".join(split.private.values()).split("\n"))


@pytest.mark.parametrize("level", [0, 2, 4])
def test_pools_are_as_large_as_stated_and_share_nothing_across_splits_and_levels(level: int) -> None:
    tasks = [task for split in SPLITS for task in pool(hotpot(), level)[split]]
    assert len(tasks) == 4000 == len({task.id for task in tasks}) == len({content_hash(task) for task in tasks})
    easier = pool(hotpot("bridge"), 0)
    guard_overlap(pool(hotpot(), level)["train"], [*easier["test"], *easier["dev"]])
    shares = Counter(task.split for task in tasks)
    assert {s: shares[s] / 4000 for s in SPLITS} == {
        s: pytest.approx(len(p) / 100, abs=0.03) for s, p in SPLITS.items()
    }


@pytest.mark.parametrize("level", [0, 3])
def test_chance_is_no_less_than_what_guesses_reach(level: int) -> None:
    """Guesses that do not put two facts together: the commonest gold, and the city told first, second, ... or most."""
    for family in FAMILIES:
        tasks = some(family, level, n=1200)
        commonest = Counter(task.gold for task in tasks).most_common(1)[0][1] / len(tasks)
        bound = 0.5 if family == "comparison" else 1 / LEVELS[level].chains
        margin = 4 * (bound * (1 - bound) / len(tasks)) ** 0.5
        assert commonest < bound + margin
        if family == "bridge":
            for place in range(LEVELS[level].chains):
                cities = [re.findall(r"born in (\w+)", "\n".join(task.private.values())) for task in tasks]
                right = sum(told[place] == task.gold for told, task in zip(cities, tasks, strict=True))
                assert abs(right / len(tasks) - bound) < margin  # no place in a line is better than another
        assert bound <= hotpot(family).chance <= hotpot().chance == 0.5


def test_where_somebody_lives_says_nothing() -> None:
    """A seat that guesses yes where a person lives in their own city of birth is right half the time."""
    golds = Counter[str]()
    for task in some("comparison", 3, n=3000):
        told = "\n".join(task.private.values())
        [name] = re.findall(r"^Were (\w+)", task.prompt)
        born, home = (re.findall(rf"^{name} {verb} in (\w+)", told, re.MULTILINE) for verb in ("was born", "lives"))
        golds[task.gold] += born == home
    assert sum(golds.values()) > 80
    assert golds["yes"] / sum(golds.values()) == pytest.approx(0.5, abs=0.2)


def test_golden_sample() -> None:
    """Published figures rest on these items."""
    [task] = hotpot().sample(1, split="train", level=0)
    assert (task.kind, task.family, task.split) == ("text", "bridge", "train")
    assert (task.id, task.gold) == GOLDEN
    assert max(len(f"{task.prompt} {' '.join(task.private.values())}".split()) for task in some("bridge", 0)) < 60


GOLDEN = ("hotpot/train/762524b7216d", "Toronto")


@pytest.mark.parametrize("level", range(5))
def test_each_level_keeps_the_contract(level: int) -> None:
    check_benchmark(hotpot(), n=8, level=level)


def test_one_family_for_one_reader_keeps_the_contract() -> None:
    check_benchmark(hotpot("comparison", seats=("reader",)), n=8)


def test_bad_requests_are_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'bridge'"):
        hotpot("brigde")
    with pytest.raises(BadInput, match=r"different names.*'a', 'a'"):
        hotpot(seats=("a", "a"))
    with pytest.raises(BadInput, match="at least one"):
        hotpot(seats=())


def test_two_debaters_put_their_facts_together() -> None:
    """A debate on the command line has agents of these names; each reads its own lines and what the other says."""

    def say(request: Request) -> str:
        [prompt, *lines] = request.messages[-1][1].split("\n")
        answers = possible(prompt, lines)
        return f"Answer: {answers.pop()}" if len(answers) == 1 else "\n".join(["I know:", *lines])

    reader = Role(
        "debater", "{{ prompt }}\n{{ private }}{% for m in inbox %}\n{{ m.content }}{% endfor %}", answer=said
    )
    agents = [reader(Scripted(say), name=name) for name in SEATS[0]]
    [task] = hotpot().sample(1, split="test")
    done = asyncio.run(run(debate(agents, rounds=2), task))
    assert done.answer == task.gold
    alone = asyncio.run(run(debate(agents, rounds=1), task))
    assert alone.answer != task.gold  # before they have heard each other, neither knows


# ── official files


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official file is not beside the repository")
def test_loads_the_official_closed_book_file() -> None:
    tasks = hotpot().load(OFFICIAL, split="dev")
    assert len(tasks) == 7405 == len({task.id for task in tasks})
    assert Counter(task.gold for task in tasks if task.gold in ("yes", "no")) == {"no": 233, "yes": 225}
    assert Counter(task.family for task in tasks).keys() == {"bridge", "comparison"}
    assert not any(task.private for task in tasks)
    for task in tasks:
        assert hotpot().score(task, f"Answer: {task.gold}")[:2] == (1.0, 1.0), task
        assert hotpot().score(task, None) == Score(0.0, 0.0, False)
    with pytest.raises(BadInput, match="--split dev"):
        hotpot().load(OFFICIAL, split="train")


ROW = {
    "_id": "5a8b", "question": "Which is older?", "answer": "Ed Wood", "type": "comparison", "level": "hard",
    "supporting_facts": [["Ed", 0], ["Ed", 1], ["Scott", 0]],
    "context": [
        ["Noise", ["Nothing. "]], ["Scott", ["Born 1966. ", "Tall."]], ["Ed", ["Born 1924."]], ["More", ["None."]],
    ],
}  # fmt: skip


def test_paragraphs_are_split_as_optima_does(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    columns = {
        **ROW,
        "context": {"title": ["Scott", "Ed"], "sentences": [["Born 1966. ", "Tall."], ["Born 1924."]]},
        "supporting_facts": {"title": ["Ed", "Scott"], "sent_id": [0, 0]},
        "_id": "hub",
    }
    file.write_text(json.dumps([ROW, columns]), "utf-8")
    first, second = hotpot(seats=("ann", "bob")).load(file, split="train")
    assert "Ed: Born 1924." in first.private["ann"].split("\n")  # evidence in turn, in the order of the facts
    assert "Scott: Born 1966. Tall." in first.private["bob"].split("\n")
    assert sorted("\n".join(first.private.values()).split("\n")) == [
        "Ed: Born 1924.", "More: None.", "Noise: Nothing.", "Scott: Born 1966. Tall.",
    ]  # fmt: skip
    assert dict(second.private) == {"ann": "Ed: Born 1924.", "bob": "Scott: Born 1966. Tall."}
    assert (first.id, first.gold, first.family) == ("hotpot/train/5a8b", "Ed Wood", "comparison")


@pytest.mark.parametrize(
    "change", [{"answer": None}, {"type": 3}, {"context": [["Ed"]]}, {"supporting_facts": [["Nobody", 0]]}], ids=str
)
def test_a_row_of_another_form_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([{**ROW, "_id": "good"}, {**ROW, **change}]), "utf-8")
    with pytest.raises(BadData, match=r"rows\.json:2: expected"):
        hotpot().load(file, split="train")


def test_a_file_of_test_items_is_not_taken_for_training(tmp_path: Path) -> None:
    file = tmp_path / "hotpot_test.json"
    file.write_text(json.dumps([ROW]), "utf-8")
    with pytest.raises(BadInput, match="--split test"):
        hotpot().load(file, split="train")
