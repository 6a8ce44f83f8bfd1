"""Simulated coverage: what promises 95 % keeps it where its assumptions hold, and what overlooks them does not."""

from __future__ import annotations

import pytest

from scripts.coverage import coverage, table

FAST = ("normal", "wilson")


@pytest.mark.parametrize(("n", "p"), [(20, 0.05), (50, 0.9), (100, 0.05), (300, 0.3)])
def test_wilson_keeps_its_promise_from_twenty_tasks_on(n: int, p: float) -> None:
    normal, wilson = coverage(FAST, p, n, 1, 0.0, 800)
    assert wilson.coverage > 0.91
    assert n == 300 or normal.coverage < min(0.92, wilson.coverage)  # the control


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "lowest"), [(10, 0.86), (40, 0.9)])
def test_templates_are_clusters(groups: int, lowest: float) -> None:
    methods = ("wilson", "t", "bootstrap", "cluster t", "cluster bootstrap")
    rows = {row.method: row.coverage for row in coverage(methods, 0.3, groups, 8, 0.3, 250)}
    assert rows["cluster t"] > 0.9
    assert rows["cluster bootstrap"] > lowest
    assert all(rows[method] < 0.85 for method in ("wilson", "t", "bootstrap"))  # the controls


def test_a_row_a_method() -> None:
    rows = coverage(FAST, 0.5, 30, 1, 0.0, 20)
    assert [row.method for row in rows] == list(FAST)
    assert len(table(rows).splitlines()) == 4
