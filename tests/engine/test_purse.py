"""A budget over many tasks: allotted in task order, whatever ends first."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.engine import Budget, Purse
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.topologies import self_consistency, solo
from orchestra.types import Usage


def team(delay=0.0, n=3):
    dice = random.Random(3)
    return self_consistency(generator(Scripted(lambda r: "4", delay=lambda r: dice.random() * delay)), n=n)


@pytest.mark.parametrize("concurrency", [1, 64])
@pytest.mark.parametrize("each", [None, Budget(calls=3), Budget(calls=2)])
def test_the_first_tasks_get_what_they_need(concurrency, each):
    done = asyncio.run(
        team(0.003).map([f"{i} + 1?" for i in range(6)], concurrency=concurrency, budget=each, total=Budget(calls=8))
    )
    most = int(each.calls) if each else 3
    given_ = [min(most, max(0, 8 - most * i)) for i in range(6)]
    assert [d.usage.calls for d in done] == given_
    assert [d.stopped_by for d in done] == ["done" if calls == 3 else "budget" for calls in given_]


def test_it_runs_side_by_side_as_far_as_nothing_can_depend_on_it():
    together = [0, 0]
    model = Scripted(lambda r: "4", delay=lambda r: 0.002)
    inner = model.generate

    async def watched(requests):
        together[0] += 1
        together[1] = max(together)
        done = await inner(requests)
        together[0] -= 1
        return done

    model.generate = watched
    tasks = [f"{i}?" for i in range(10)]
    asyncio.run(solo(generator(model)).map(tasks, budget=Budget(calls=1), total=Budget(calls=8)))
    assert together[1] == 8


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 30), st.none() | st.integers(1, 6),
    st.integers(0, 99),
)  # fmt: skip
def test_what_a_task_may_spend_is_what_those_before_it_leave(wants, total, each, seed):
    """Against the plain rule, one task after another."""
    expected, left = [], total
    for want in wants:
        expected.append(min(want, each or total, left))
        left -= expected[-1]

    async def go():
        purse = Purse(Budget(calls=total), Budget(calls=each) if each else None)
        dice, spent = random.Random(seed), [0] * len(wants)

        async def one(i):
            ledger = await purse.ledger(i)
            for _ in range(wants[i]):
                if ledger.fits(Usage(calls=1)):
                    ledger.hold(Usage(calls=1))
                    await asyncio.sleep(dice.choice([0, 0, 0.0005]))
                    ledger.settle(Usage(calls=1), Usage(calls=1))
                    spent[i] += 1
            purse.settle(i, Usage(calls=spent[i]))

        order = dice.sample(range(len(wants)), len(wants))
        await asyncio.gather(*(one(i) for i in order))
        return spent

    assert asyncio.run(go()) == expected
