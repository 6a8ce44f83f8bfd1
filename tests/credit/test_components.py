"""Reward components and verdicts on real trees of scripted teams."""

import asyncio

import pytest

from orchestra.answers import equal, extract
from orchestra.credit import Scored, readability, total, verdict, with_components
from orchestra.engine import Full, grow
from orchestra.errors import BadInput, UnknownName
from orchestra.models.model import Scores
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team.forms import verdict as read_verdict
from orchestra.topologies import chain, debate
from orchestra.types import FrozenMap, Task, Usage

TASK = Task("t", "What is 2 + 2?", gold="4", kind="number")


def malt(generators, verdicts, refiners="It is 4."):
    said = [Scripted(words) if isinstance(words, list) else Scripted([words]) for words in (generators, verdicts)]
    return chain(generator(said[0]), verifier(said[1]), refiner(Scripted([refiners])))


def right(task, text):
    return float(equal(extract(text, task.kind), task.gold, task.kind))


def read(text):
    try:
        return read_verdict(text).right
    except Exception:  # noqa: BLE001
        return None


@pytest.mark.parametrize(
    ("proposal", "said", "value"),
    [("It is 4.", "Yes.", 1.0), ("It is 4.", "No.", 0.0), ("It is 5.", "No.", 1.0), ("It is 5.", "Yes.", 0.0),
     ("It is 4.", "Hm.", 0.0), ("I cannot tell.", "No.", None)],
)  # fmt: skip
def test_a_verifier_is_paid_for_its_verdict(proposal, said, value):
    tree = asyncio.run(malt(proposal, said).run(TASK))
    (table,) = verdict(read, right)([Scored(tree, ({"task": 1.0},))])
    assert [table.rows[d.key].value for d in tree.decisions] == [None, value, None]


def test_verdicts_among_siblings():
    team = malt("It is 5.", ["Yes.", "No.", "Yes."])
    tree = asyncio.run(grow(team, TASK, Full(1, FrozenMap({"verifier": 3}))))
    (table,) = verdict(read, right)([Scored(tree, ({},) * 3)])
    found = {d.completion.text: table.rows[d.key].advantage for d in tree.decisions if d.role == "verifier"}
    assert found == pytest.approx({"Yes.": -1 / 3, "No.": 2 / 3})


def unscored(*trees):
    return [Scored(tree, tuple({"task": 1.0} for _ in tree.leaves)) for tree in trees]


def test_tokens_are_measured_against_the_longest_of_the_task():
    short, long = (asyncio.run(malt(words, "Yes.").run(TASK)) for words in ("4", "It is 4, since 2 and 2 make 4."))
    other = asyncio.run(malt("a very long reply " * 9, "Yes.").run(Task("u", "What is 3 + 3?")))
    a, b, c = with_components(unscored(short, long, other), ["tokens"])
    assert b.rewards[0]["tokens"] == -1.0 and c.rewards[0]["tokens"] == -1.0
    assert a.rewards[0]["tokens"] == pytest.approx(-short.usage.tokens_out / long.usage.tokens_out)
    assert a.rewards[0]["task"] == 1.0, "the raw components stay"


def test_form_and_repetition():
    unread = asyncio.run(malt("It is 4.", "Hm.").run(TASK))
    (found,) = with_components(unscored(unread), ["format", "repetition"])
    assert found.rewards[0]["format"] == pytest.approx(2 / 3) and found.rewards[0]["repetition"] == 0.0
    stuck = debate(
        [debater(Scripted(lambda request, n=n: f"It is {n}."), name=f"d{n}") for n in (4, 5)], rounds=3, share=0.9
    )
    (found,) = with_components(unscored(asyncio.run(stuck.run(TASK))), ["repetition"])
    assert found.rewards[0]["repetition"] == pytest.approx(-4 / 6), "each says the same three times"


def test_what_is_weighed_must_be_scored():
    tree = asyncio.run(malt("4", "Yes.").run(TASK))
    batch = [Scored(tree, ({"task": 1.0, "tokens": -0.5, "judge": None},))]
    assert total(batch, {"task": 1.0, "tokens": 0.4})[0].rewards[0]["total"] == pytest.approx(0.8)
    assert total(batch, {"task": 1.0, "judge": 1.0})[0].rewards[0]["total"] is None
    with pytest.raises(BadInput, match="expected weights"):
        total(batch, {})
    with pytest.raises(UnknownName, match="did you mean 'tokens'"):
        with_components(batch, ["token"])


class Base:
    """Scores one nat a character, and two where a text shouts."""

    def __init__(self):
        self.asked = []

    async def score(self, requests):
        self.asked += requests
        loss = [len(r.options[0]) * (2.0 if r.options[0].isupper() else 1.0) for r in requests]
        return [Scores((-x,), (len(r.options[0]),), Usage()) for x, r in zip(loss, requests, strict=True)]


def test_the_least_readable_turn_counts_and_each_is_scored_once():
    plain, shout = (asyncio.run(malt(words, "yes").run(TASK)) for words in ("it is four", "IT IS"))
    base = Base()
    assert asyncio.run(readability([plain, shout, plain], base)) == [[1.0], [0.5], [1.0]]
    assert len(base.asked) == 4 and not any(request.adapter for request in base.asked)


def test_a_turn_without_words_is_not_readable():
    silent = asyncio.run(malt("", "yes").run(TASK))
    assert asyncio.run(readability([silent], Base())) == [[0.0]]
