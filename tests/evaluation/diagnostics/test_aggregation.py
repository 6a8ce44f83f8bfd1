"""Member, majority, oracle, team and the efficiency between them, by hand."""

import pytest

from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.evaluation.diagnostics import aggregation

BENCH = arith()


def test_by_hand(written, swayed):
    saved = written([("a", 0, "2", ()), ("b", 0, "2", ()), ("c", 0, "1", ()), ("a", 1, "1", ("c0",))], answer="1")
    found = aggregation([swayed, saved], BENCH)
    assert (found.n, found.mean_member.mean, found.majority.mean) == (2, pytest.approx(1 / 3), 0.0)
    assert (found.oracle.mean, found.team.mean) == (1.0, 0.5)
    assert found.efficiency.mean == pytest.approx((0.5 - 1 / 3) / (1 - 1 / 3))


@pytest.mark.parametrize(("answer", "efficiency"), [("1", 1.0), ("2", -0.5)])
def test_ends_of_the_scale(written, answer, efficiency):
    """Always the right one of the members is 1; worse than a member at random is below 0."""
    lines = [("a", 0, "1", ()), ("b", 0, "2", ()), ("c", 0, "3", ())]
    found = aggregation([written(lines, answer=answer)] * 5, BENCH)
    assert found.efficiency == pytest.approx((efficiency,) * 3)


def test_no_gap_no_efficiency(written):
    assert aggregation([written([("a", 0, "1", ()), ("b", 0, "1", ())])], BENCH).efficiency is None


def test_a_failed_run_is_wrong_and_an_unscored_one_is_left_out(written):
    lines = [("a", 0, "1", ()), ("b", 0, "1", ())]
    failed, unscored = written(lines, error="lost"), written(lines, gold=None)
    found = aggregation([written(lines), failed, unscored], BENCH)
    assert (found.n, found.team.mean, found.mean_member.mean) == (2, 0.5, 1.0)
    with pytest.raises(BadInput, match="expected runs with a gold"):
        aggregation([unscored], BENCH)


def test_interval_covers_and_repeats(written):
    runs = [
        written([("a", 0, f"{1 + (i % 3 > 0)}", ()), ("b", 0, f"{1 + i % 2}", ())], answer=f"{1 + (i % 5 > 2)}")
        for i in range(60)
    ]
    first, again = aggregation(runs, BENCH), aggregation(runs, BENCH)
    assert first == again
    assert first.efficiency.ci_low < first.efficiency.mean < first.efficiency.ci_high
