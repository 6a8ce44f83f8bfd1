"""Whitening inside each agent: mean 0 and deviation 1 for each, nothing made of rounding, nothing lost."""

from dataclasses import replace
from statistics import fmean, pstdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestra.credit import Annotation, Table, per_agent
from orchestra.types import Key


def table(advantages):
    return Table("rule", "{}", {key: Annotation(0.5, 0.1, value, "s") for key, value in advantages.items()})


def by_agent(tables):
    found = {}
    for each in tables:
        for key, row in each.rows.items():
            found.setdefault(key.state.partition("|")[0], []).append(row.advantage)
    return found


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=2, max_size=8))
def test_each_agent_has_mean_zero_and_deviation_one(build, values):
    run = build([(Key("g"), Key("v"))])
    assume(all(pstdev(of) > 1e-3 for of in zip(*values, strict=True)))
    found = by_agent(per_agent([run] * len(values), [table({Key("g"): 40 * a + 7, Key("v"): b}) for a, b in values]))
    for of_one in found.values():
        assert fmean(of_one) == pytest.approx(0, abs=1e-6)
        assert pstdev(of_one) == pytest.approx(1, abs=1e-6)
    # Control: the two together are not on one scale before.
    assert pstdev([40 * a + 7 for a, _ in values]) > 1e-2


def test_by_hand_across_trajectories(build):
    run = build([(Key("g"), Key("v|1"), Key("v|2"))])
    tables = [
        table({Key("g"): 1.0, Key("v|1"): 10.0, Key("v|2"): 30.0}),
        table({Key("g"): 3.0, Key("v|1"): 20.0, Key("v|2"): None}),
    ]
    found = by_agent(per_agent([run, run], tables))
    spread = (200 / 3) ** 0.5
    assert found == {"g": [-1.0, 1.0], "v": pytest.approx([-10 / spread, 10 / spread, 0.0, None])}


def test_an_advantage_of_zero_stays_one_where_the_mean_is_zero_on_paper(build):
    values = [0.1, 0.2, -0.3, 0.0]
    assert fmean(values) != 0
    found = per_agent([build([(Key("g"),)])] * 4, [table({Key("g"): value}) for value in values])
    assert by_agent(found)["g"][3] == 0.0


def test_two_agents_of_one_role_have_scales_of_their_own(build):
    run = build([(Key("g"), Key("v"))])
    run = replace(run, decisions=tuple(replace(d, role="talker") for d in run.decisions))
    found = per_agent([run, run], [table({Key("g"): 1.0, Key("v"): 10.0}), table({Key("g"): 3.0, Key("v"): 30.0})])
    assert by_agent(found) == {"g": [-1.0, 1.0], "v": [-1.0, 1.0]}


@pytest.mark.parametrize("values", [[0.25, 0.25, 0.25], [0.1 + 0.2, 0.3, 0.3], [7.0]])
def test_where_nothing_differs_nothing_is_learnt(build, values):
    run = build([(Key("g"),)])
    assert by_agent(per_agent([run] * len(values), [table({Key("g"): v}) for v in values])) == {
        "g": [0.0] * len(values)
    }


def test_the_rest_of_a_table_stays(build):
    run = build([(Key("g"), Key("v"))])
    (found,) = per_agent([run], [table({Key("g"): 1.0, Key("v"): None})])
    assert found.rows == {Key("g"): Annotation(0.5, 0.1, 0.0, "s"), Key("v"): Annotation(0.5, 0.1, None, "s")}
    assert (found.producer, found.config) == ("per_agent", '{"config":"{}","producer":"rule"}')
