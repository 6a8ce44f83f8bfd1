"""Figures of a system: what counts, what is left out, and which interval stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.errors import BadInput
from orchestra.evaluation.result import FEWEST_CLUSTERS, Item, Result, clusters
from orchestra.evaluation.statistics import mean_interval, pass_at_k, wilson
from orchestra.types import Usage


def item(task: str, score: float | None, **rest: object) -> Item:
    usual = Item(task, f"of-{task}", score, score, True, str(score), "done", Usage(1, 10, 2))
    return replace(usual, **rest)  # type: ignore[arg-type]


def result(*items: Item) -> Result:
    return Result("team", "bench", items)


def test_right_and_wrong_have_wilsons_interval_and_fractions_students() -> None:
    assert result(item("a", 1.0), item("b", 0.0), item("c", 1.0)).flexible == wilson(2, 3)
    fractions = result(item("a", 1.0), item("b", 0.5), item("c", 0.0))
    assert fractions.flexible == (0.5, 0.0, 1.0)  # cut to what an accuracy can be
    assert mean_interval([1.0, 0.5, 0.0]).ci_high > 1.0


def test_what_has_no_gold_is_in_no_accuracy_and_counted() -> None:
    some = result(item("a", 1.0), item("b", None), item("c", 0.0))
    assert some.flexible == wilson(1, 2)
    assert (some.summary()["unscored"], some.summary()["n"]) == (1, 3)
    with pytest.raises(BadInput, match="no task has a gold"):
        _ = result(item("a", None)).strict


def test_a_failed_run_is_wrong_and_no_gap() -> None:
    summary = result(item("a", 1.0), item("b", 0.0, parsed=False, error="out of memory", answer=None)).summary()
    assert (summary["flexible"]["mean"], summary["unparseable"], summary["failed"]) == (0.5, 1, 1)


def test_a_task_counts_once_with_the_mean_of_its_samples() -> None:
    runs = [
        item(task, float(score), sample=i)
        for i, row in enumerate(("10", "11", "00"))
        for task, score in zip("ab", row, strict=True)
    ]
    found = result(*runs)
    assert found.scores() == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}
    summary = found.summary()
    assert (summary["n"], summary["samples"], summary["tokens_per_task"], summary["usage"]["calls"]) == (2, 3, 12.0, 6)
    rows = {row["k"]: row for row in summary["at_k"]}
    assert rows[2]["pass"] == pytest.approx((pass_at_k(3, 2, 2) + pass_at_k(3, 1, 2)) / 2)
    assert rows[3]["all"] == 0.0
    assert rows[3]["majority"] == 0.5  # a by two to one
    assert rows[1]["pass"] == rows[1]["all"] == pytest.approx(rows[1]["majority"]) == pytest.approx(0.5)


def test_families_are_clusters_where_there_are_enough_of_them() -> None:
    assert clusters(["x"] * 50) is None
    assert clusters([str(i % (FEWEST_CLUSTERS - 1)) for i in range(50)]) is None
    assert clusters([str(i % FEWEST_CLUSTERS) for i in range(50)]) is not None
    assert clusters([str(i) for i in range(50)]) is None  # one task each: nothing to correct
    assert clusters([""] * 50) is None


def test_tasks_that_stand_and_fall_with_their_template_are_less_sure() -> None:
    alike = [item(f"{f}/{i}", float(f % 2), family=str(f)) for f in range(20) for i in range(10)]
    found = result(*alike)
    robust = found.summary()["clustered"]["flexible"]
    assert robust["ci_high"] - robust["ci_low"] > 2 * (found.flexible.ci_high - found.flexible.ci_low)
    assert "clustered" not in result(*(replace(i, family="") for i in alike)).summary()
