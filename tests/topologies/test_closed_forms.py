"""Every topology comes to what it must under the noisy oracle, and the same agents wired wrongly do not."""

import pytest

import orchestra.topologies
from orchestra.contracts.figures import check_figures, measure
from orchestra.models.noisy import problems
from tests.closed_forms import Row, rows

ROWS = rows()
FIRST = list({row.topology: row for row in reversed(ROWS)}.values())
"""One row a topology."""


def every(rows: list[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=[f"{row.topology}: {row.setting}" for row in rows])


def test_every_topology_has_a_row():
    assert {row.topology for row in ROWS} == set(orchestra.topologies.__all__)


@every(FIRST)
def test_a_topology_comes_to_what_it_must(row: Row) -> None:
    answers = problems(100, wrong=row.wrong)
    check_figures(row.team(answers), answers, row.expected())


@pytest.mark.slow
@every(ROWS)
def test_it_does_on_2000_tasks(row: Row) -> None:
    answers = problems(2000, wrong=row.wrong, first=100)
    check_figures(row.team(answers), answers, row.expected())


@pytest.mark.slow
@every(ROWS)
def test_control_wired_wrongly_it_does_not(row: Row) -> None:
    answers = problems(500, wrong=row.wrong)
    assert measure(row.control(answers), answers).differ(row.expected())


def test_control_a_wrong_expectation_is_noticed() -> None:
    row = next(row for row in ROWS if row.topology == "ensemble")
    answers = problems(100, wrong=row.wrong)
    with pytest.raises(AssertionError, match=r"row, 100 tasks: accuracy: expected 0\.\d+, got 0\.\d+ ±0\.\d+"):
        check_figures(row.control(answers), answers, row.expected())
