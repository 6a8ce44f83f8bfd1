"""Rounds, flips and consensus of hand-written debates, and McNemar of the flips against its definition."""

import pytest

from orchestra.engine import Full
from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.evaluation.diagnostics import dynamics, spoken
from orchestra.evaluation.statistics import mcnemar
from orchestra.models.scripted import Scripted
from orchestra.roles import debater
from orchestra.topologies import debate

BENCH = arith()


def test_known_answers(written, swayed):
    healed = written(
        [
            ("a", 0, "2", ()), ("b", 0, "3", ()), ("c", 0, "1", ()),
            ("a", 1, "1", ("b0", "c0")), ("b", 1, "4", ("a0", "c0")), ("c", 1, "1", ("a0", "b0")),
        ]
    )  # fmt: skip
    at_once = written([("a", 0, "1", ()), ("b", 0, "1", ()), ("c", 0, "1", ())])
    found = dynamics([swayed, healed, at_once], BENCH)
    assert [r.members.mean for r in found.rounds] == pytest.approx([(1 / 3 + 1 / 3 + 1) / 3, (0 + 2 / 3 + 1) / 3])
    assert [r.majority.mean for r in found.rounds] == pytest.approx([1 / 3, 2 / 3])
    [flips] = found.flips
    assert (flips.round, flips.right_wrong, flips.wrong_right, flips.changed) == (1, 1, 1, 3)
    assert flips.gain.mean == 0  # -1, +1 and 0
    assert found.consensus == (1, None, 0)
    assert found.agreed == 2 / 3 and found.consensus_rounds == 1.5


def test_flips_are_mcnemar_of_pairs(written):
    runs = [
        written(
            [("a", 0, f"{before}", ()), ("b", 0, "7", ()), ("a", 1, f"{after}", ("b0",)), ("b", 1, "7", ("a0",))],
            answer="1",
        )
        for before, after, times in [(1, 2, 3), (2, 1, 9), (1, 1, 4), (2, 3, 5)]
        for _ in range(times)
    ]
    [flips] = dynamics(runs, BENCH).flips
    was = [True] * 3 + [False] * 9 + [True] * 4 + [False] * 5
    now = [False] * 3 + [True] * 9 + [True] * 4 + [False] * 5
    still = [False] * 21  # b never changes
    assert flips.test == mcnemar(now + still, was + still)
    assert (flips.right_wrong, flips.wrong_right, flips.changed) == (3, 9, 17)
    assert flips.gain.mean == pytest.approx((9 - 3) / 21)


def test_abstaining_is_wrong_and_no_consensus(written):
    run = written([("a", 0, "?", ()), ("b", 0, "?", ()), ("a", 1, "1", ("b0",)), ("b", 1, "?", ("a0",))], answer="1")
    found = dynamics([run], BENCH)
    assert [r.members.mean for r in found.rounds] == [0.0, 0.5]
    assert found.consensus == (None,)
    assert (found.flips[0].wrong_right, found.flips[0].changed) == (1, 1)


def test_nothing_to_see(written):
    assert dynamics([], BENCH).rounds == ()
    assert dynamics([written([("a", 0, "1", ())], gold=None)], BENCH).rounds == ()  # unscored is not wrong
    assert dynamics([written([("a", 0, "1", ())])], BENCH).flips == ()


def test_a_tree_is_refused():
    model = Scripted(lambda request: str(request.seed % 7))
    team = debate([debater(model, name=n) for n in "ab"], rounds=1)
    import asyncio

    with pytest.raises(BadInput, match="4 leaves; expected a run without branches"):
        spoken(asyncio.run(team.grow("1 + 1?", Full(2))))
