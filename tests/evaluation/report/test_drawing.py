"""The picture of a team: as it was saved, or as its runs recorded it; both count what was really said and read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.engine import START
from orchestra.evaluation.report.chart import chart
from orchestra.evaluation.report.drawing import SAVED, as_recorded, as_saved, picture
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Team
from orchestra.topologies import chain, debate
from orchestra.trajectory.trajectory import Trajectory


def run(team: Team, times: int = 2) -> list[Trajectory]:
    return [team.run_sync(f"What is 1 + {number}?", seed=number) for number in range(times)]


def a_chain() -> Team:
    model = Scripted(lambda request: "The answer is 4.")
    return chain(generator(model), verifier(model), refiner(model))


def a_debate() -> Team:
    model = Scripted(lambda request: f"The answer is {len(model.calls)}.")
    return debate([debater(model, name=name) for name in ("ada", "bob", "cyd")])


@pytest.mark.parametrize("team", [a_chain, a_debate], ids=["chain", "debate"])
def test_what_runs_recorded_is_the_team_that_ran(team) -> None:
    made = team()
    runs = run(made)
    (saved, counted), (recorded, seen) = as_saved(made, runs), as_recorded(made.name, runs)

    def edges(graph, overlay) -> dict[tuple[str, str, str], int]:
        inner = [(number, edge) for number, edge in enumerate(graph.edges) if edge.src != START]
        return {(e.src, e.dst, e.kind): overlay.count((), n) for n, e in inner if overlay.count((), n)}

    assert {node.name for node in recorded.nodes} == {node.name for node in saved.nodes}
    assert edges(recorded, seen) == edges(saved, counted) != {}
    for node in saved.nodes:
        a, b = seen.activity((node.name,)), counted.activity((node.name,))
        assert (a.usage.calls, a.usage.tokens) == (b.usage.calls, b.usage.tokens)


def test_a_saved_team_is_drawn_where_there_is_one(tmp_path: Path) -> None:
    runs = run(a_chain())
    assert "NotRecorded" in str(picture(tmp_path, "chain", runs))
    a_chain().write(tmp_path / SAVED)
    assert "NotRecorded" not in str(picture(tmp_path, "chain", runs))


def test_nobody_is_no_picture(tmp_path: Path) -> None:
    assert picture(tmp_path, "chain", []) is None


INTERVALS = st.tuples(*[st.floats(0, 1)] * 3).map(sorted).map(lambda v: {"ci_low": v[0], "mean": v[1], "ci_high": v[2]})


@given(
    st.lists(
        st.tuples(st.text(max_size=30), st.sampled_from(["", "k"]), INTERVALS, INTERVALS, st.booleans()), min_size=1
    )
)
def test_a_chart_is_xml_whatever_systems_are_called(rows) -> None:
    points = [
        {
            "name": name,
            "series": series,
            "accuracy": accuracy,
            "cost": {end: 1e4 * value for end, value in cost.items()},
            "front": front,
        }
        for name, series, accuracy, cost, front in rows
    ]
    root = ET.fromstring(chart(points))
    marks = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(marks) == len(rows) + len({(series, name * (not series)) for name, series, *_ in rows})  # and a legend
    for mark in marks:
        assert 0 <= float(mark.attrib["cx"]) <= 860 and 0 <= float(mark.attrib["cy"]) <= 380
